"""Are the records whole and in order?"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from drill.history import History
from drill.measure import Measurements
from drill.measure.observed import is_observation
from drill.proof.doubt import Doubt
from drill.regions import REGIONS

OUTCOMES = ("ok", "fail", "unknown")


def readable(history: History) -> Iterator[Doubt]:
    """Every part is there, and every row says what it must."""
    for name, part, needed in (
        ("ops.parquet", history.ops, ("op", "key", "intended_ns", "began_ns", "ended_ns", "outcome")),
        ("survivors.parquet", history.survivors, ("store", "key", "copies", "at_ns")),
    ):
        if part is None:
            yield Doubt(f"{name} is missing")
            continue
        for column in needed:
            if part[column].null_count():
                yield Doubt(f"{name}: {part[column].null_count()} rows have no {column}")
    if history.marks is None:
        yield Doubt("marks.jsonl is missing")
    if history.samples is None:
        yield Doubt("samples.parquet is missing")
    if history.ops is not None:
        strange = history.ops.filter(~pl.col("outcome").is_in(OUTCOMES)).height
        if strange:
            yield Doubt(f"{strange} ops have an outcome that is none of {', '.join(OUTCOMES)}")


def marked(history: History, found: Measurements) -> Iterator[Doubt]:
    """There was a fault, and its observation ended after it; an outage that was only observed has a fault that nobody knows."""
    times = found.times
    if is_observation(history.marks):
        yield from _observed(found)
    elif times.begin_ns is None or times.effective_ns is None:
        missing = "fault.begin" if times.begin_ns is None else "fault.effective"
        yield Doubt(f"there is no fault: the mark {missing} is missing")
    elif times.effective_ns < times.begin_ns:
        yield Doubt("the fault took effect before it began: the clock went backwards")
    if times.end_ns is None:
        yield Doubt("the observation did not end: there is no drill.end after the fault")
    elif times.effective_ns is not None and times.end_ns < times.effective_ns:
        yield Doubt("the observation ended before the fault took effect")


def _observed(found: Measurements) -> Iterator[Doubt]:
    outages = found.named.get("outages")
    if outages is None or not outages.value:
        yield Doubt("nothing was broken, and no outage was seen while it was observed")
    yield Doubt(
        "when the fault began is not known, as nobody here caused it: how long service was down is told (outage_s, downtime_s), "
        "how long recovery took is not"
    )


def regions(history: History, ops: pl.DataFrame) -> Iterator[Doubt]:
    """Whoever served is a region of AWS, or one that the marks name."""
    named = {str(r) for r in ops["region"].unique().to_list() if r}
    unknown = sorted(named - REGIONS)
    if unknown:
        words = " ".join(f"{m.subject} {m.detail}" for m in history.marks or ())
        unknown = [r for r in unknown if r not in words]
    if unknown:
        yield Doubt(f"ops were served by {', '.join(unknown)}, a region that nobody knows")
