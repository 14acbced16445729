"""Did anything of the harness itself die, or starve, so that what was seen may be its own doing?"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from drill.history import History
from drill.proof.doubt import Doubt, Figures

STARVED = 0.5
OFTEN = 0.1
"""A part was starved that waited for a processor for more than STARVED of the time in two samples (of half a second) in a
row, or in more than OFTEN of them all; a calm machine shows lone ones."""


def deaths(history: History) -> Iterator[Doubt]:
    """A probe that died saw nothing more; a process of the target that died unasked was a fault that nobody injected."""
    for mark in history.marks or ():
        if mark.event == "process.died":
            yield Doubt(f"{mark.subject} died unasked: {mark.detail}", Figures.ALL)
        if mark.event == "probe.died":
            yield Doubt(f"the probe {mark.subject} died: {mark.detail}", Figures.ALL)


def starved(history: History) -> Iterator[Doubt]:
    """Which parts waited for a processor of this machine (cpu_wait_share) while the drill watched."""
    if history.samples is None:
        return
    begun, ended = (
        history.first_mark("drill.expects") or history.first_mark("drill.baseline"),
        history.first_mark("drill.end"),
    )
    from_ns, to_ns = begun.at_ns if begun else -(2**62), ended.at_ns if ended else 2**62
    watched = history.samples.filter(
        (pl.col("metric") == "cpu_wait_share") & pl.col("at_ns").is_between(from_ns, to_ns)
    ).sort("at_ns")
    for part in sorted(watched["subject"].unique().to_list()):
        shares = watched.filter(pl.col("subject") == part)["value"].to_numpy()
        waiting = shares > STARVED
        if (waiting[1:] & waiting[:-1]).any() or waiting.mean() > OFTEN:
            yield Doubt(
                f"this machine was too busy for {part}: it waited for a processor up to {shares.max():.0%} of the time, in "
                f"{waiting.sum()} of {waiting.size} samples more than half of it",
                Figures.TIMES,
                unproves=False,
            )
