"""A measured figure, with its spread over the repetitions it was taken from."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit` (x: a ratio); `low` and `high` are the least and greatest of the repetitions, if there were any."""

    name: str
    value: float
    unit: str
    note: str = ""
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, name: str, values: Sequence[float], unit: str, note: str = "") -> Figure:
        """The median of repetitions, and how far they spread."""
        return cls(name, statistics.median(values), unit, note, min(values), max(values))


class Skipped(Exception):
    """This machine lacks what the benchmark needs; the sentence says what, and is no failure."""


class Failed(Exception):
    """What was measured is not as it must be; the sentence says what."""
