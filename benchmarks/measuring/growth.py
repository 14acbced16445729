"""By how much what is held grows each time, and the table that shows it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from rich.table import Table

from tests.holdings import Holdings

WARM_UP = 2
"""The first times import and remember what later ones find there."""
MIB = 1024
"""Of KiB."""
WIDTH = 150
"""Columns of the table where there is no terminal to ask."""


def slope(values: Sequence[float]) -> float:
    """The growth a time, after the first WARM_UP: the median over all pairs (Theil-Sen), which one time alone does not move.

    0 where fewer than two are left.
    """
    pairs = itertools.combinations(enumerate(values[WARM_UP:]), 2)
    return statistics.median([(after - before) / (j - i) for (i, before), (j, after) in pairs] or [0.0])


def slopes(held: Sequence[Holdings]) -> dict[str, float]:
    """Of each count, of Python's objects and blocks, and of the memory in MiB."""
    counts = [h.counts() for h in held]
    return {
        **{name: slope([c[name] for c in counts]) for name in counts[0]},
        "objects": slope([h.objects for h in held]),
        "blocks": slope([h.blocks for h in held]),
        "RSS, MiB": slope([h.rss_kib / MIB for h in held]),
    }


def table(held: Sequence[Holdings], time: str) -> Table:
    """A line a time, called `time`, and the slopes."""
    growth = slopes(held)
    shown = Table(title=f"held after each {time}", title_justify="left")
    shown.add_column(time, justify="right")
    for name in growth:
        shown.add_column(name, justify="right")
    for number, h in enumerate(held, start=1):
        shown.add_row(
            str(number), *map(str, h.counts().values()), f"{h.objects:,}", f"{h.blocks:,}", f"{h.rss_kib / MIB:.1f}"
        )
    shown.add_section()
    shown.add_row(f"growth a {time}", *(f"{g:.2f}" for g in growth.values()))
    return shown
