"""Did anything of the harness itself die, or starve, so that what was seen may be its own doing?"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from drill.history import History
from drill.measure import Measurements
from drill.proof.doubt import Doubt, Figures

STARVED = 0.5
"""A part that waited for a processor for more than this share of a sample's time was starved."""


def deaths(history: History) -> Iterator[Doubt]:
    """A probe that died saw nothing more; a process of the target that died unasked was a fault that nobody injected."""
    for mark in history.marks or ():
        if mark.event == "process.died":
            yield Doubt(f"{mark.subject} died unasked: {mark.detail}", Figures.ALL)
        if mark.event == "probe.died":
            yield Doubt(f"the probe {mark.subject} died: {mark.detail}", Figures.ALL)


def starved(history: History, found: Measurements) -> Iterator[Doubt]:
    """Which parts waited for a processor of this machine (cpu_wait_share) between the baseline and the end."""
    times = found.times
    if history.samples is None or times.baseline_ns is None or times.end_ns is None:
        return
    waited = history.samples.filter(
        (pl.col("metric") == "cpu_wait_share")
        & pl.col("at_ns").is_between(times.baseline_ns, times.end_ns)
        & (pl.col("value") > STARVED)
    )
    worst = waited.group_by("subject").agg(pl.col("value").max(), pl.len()).sort("value", "subject", descending=True)
    for part, share, samples in worst.iter_rows():
        yield Doubt(
            f"this machine was too busy for {part}: it waited for a processor {share:.0%} of the time ({samples} samples)",
            Figures.TIMES,
            unproves=False,
        )
