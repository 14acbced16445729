"""A reason why a history proves nothing, good or bad as its figures look."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Figures(enum.Flag):
    """Which figures may be worse than the truth for that reason: of those, not even a miss is proved."""

    NONE = 0
    TIMES = enum.auto()
    """When something happened: recovery, downtime, lag, whether a write was acknowledged before or after the fault."""
    LOSS = enum.auto()
    """What was lost or spoiled."""
    ALL = TIMES | LOSS


LOSS = frozenset({"rpo_s", "lost_writes", "duplicates", "wrong_content", "early_acks"})
BOTH = frozenset({"lost_after_fault"})
"""A write counts here by when it was acknowledged."""


def kind_of(figure: str) -> Figures:
    """What kind of figure it is, by its name in verdict.json."""
    if figure in BOTH:
        return Figures.ALL
    return Figures.LOSS if figure in LOSS else Figures.TIMES


@dataclass(frozen=True, slots=True)
class Doubt:
    """`sentence` says what is missing; `spoils` which misses it may have caused itself.

    `unproves`: no pass stands beside it. False for what can only make figures worse than they are, as a busy machine does:
    what was met all the same is met.
    """

    sentence: str
    spoils: Figures = Figures.NONE
    unproves: bool = True
