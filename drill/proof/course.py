"""Did the drill take its course? Marks say what ended it early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drill.history import History
from drill.proof.doubt import Doubt, Figures

ENDED_EARLY: Mapping[str, tuple[str, Figures]] = {
    "stand_up.refused": ("{subject} could not be stood up: {detail}", Figures.ALL),
    "baseline.failed": ("the steady state could not be observed: {detail}", Figures.ALL),
    "drill.refused": ("the drill was refused: {detail}", Figures.ALL),
    "fault.failed": ("the fault could not be injected: {detail}", Figures.ALL),
    "fault.incomplete": ("part of the fault did not take place: {subject} {detail}", Figures.ALL),
    "observation.failed": ("the observation ended in an error: {detail}", Figures.ALL),
    "stop.condition": ("a stop condition ended the drill: {detail}", Figures.ALL),
    "drill.interrupted": ("the drill was interrupted ({subject})", Figures.ALL),
    "heal.failed": ("the fault in {subject} was not healed: {detail}", Figures.NONE),
    "steady.failed": ("the system did not serve as before once the fault was healed: {detail}", Figures.NONE),
}
"""By event: the sentence, and which misses may have come of it. What went wrong after the observation spoils none."""


def course(history: History) -> Iterator[Doubt]:
    """A sentence for each of those marks."""
    for mark in history.marks or ():
        if mark.event in ENDED_EARLY:
            sentence, spoils = ENDED_EARLY[mark.event]
            yield Doubt(sentence.format(subject=mark.subject, detail=mark.detail), spoils)
