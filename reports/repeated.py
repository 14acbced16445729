"""Scenarios that were run several times, as repetitions.json has them: each run, median, worst, what is thereby shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.plain_file import read_json
from drill.stored import REPETITIONS
from drill.unusable import UnusableInput
from reports.figure import Figure, read_figure


@dataclass(frozen=True, slots=True)
class Repeated:
    """All runs of one scenario; `met` of `requested` met their recovery time."""

    scenario: str
    requested: int
    met: int
    verdict: str
    reasons: tuple[str, ...]
    figures: dict[str, Figure]

    def figure(self, name: str) -> Figure:
        """The figure of that name; one that is not there is all unknown."""
        return self.figures.get(name, Figure())

    @property
    def shown(self) -> str:
        """In a sentence: how many met it, what that proves, how many runs would prove 95 %."""
        return "; ".join(f.because for f in (self.figure("reliability"), self.figure("runs_needed")) if f.because)


def load_repeated(run_dir: Path) -> tuple[Repeated, ...]:
    """What the run's repetitions.json says, nothing where there is none; raises UnusableInput for a damaged one."""
    path = run_dir / REPETITIONS
    try:
        return read_repeated(read_json(path) or [])
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as e:
        raise UnusableInput(f"{path} is not what this drill writes ({e}): judge the run again") from e


def read_repeated(whole: list[dict[str, Any]]) -> tuple[Repeated, ...]:
    """The same from what repetitions.json holds."""
    return tuple(_repeated(found) for found in whole)


def _repeated(found: dict[str, Any]) -> Repeated:
    return Repeated(
        scenario=str(found["scenario"]),
        requested=int(found["repetitions"]),
        met=sum(run["met_rto"] == "MET" for run in found["runs"]),
        verdict=str(found["verdict"]),
        reasons=tuple(map(str, found["reasons"])),
        figures={name: read_figure(said) for name, said in found["measurements"].items()},
    )
