"""Which requests were due by the load's own schedule and have no record: lost, or without an answer yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import Mark
from drill.schedule import EVENT, NS, Schedule

MOST = 10_000_000
"""As many as a record may hold rows (drill.parquet_file)."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def schedules(marks: Iterable[Mark] | None) -> tuple[Schedule, ...]:
    """Those that the marks tell; one that cannot be read raises ValueError."""
    found = []
    for mark in marks or ():
        if mark.event == EVENT:
            try:
                found.append(Schedule.read(mark.detail))
            except msgspec.MsgspecError as e:
                raise ValueError(f"the schedule of {mark.subject} cannot be read: {e}") from e
    return tuple(found)


def due(schedule: Schedule, from_ns: int, to_ns: int) -> Ints:
    """When its requests are due in [from_ns, to_ns); ValueError where nobody can have recorded so many."""
    passed_from, passed_to = (float(n) for n in passed(schedule, np.array([from_ns, to_ns], np.float64)))
    first = max(0, int(passed_from - schedule.phase) - 1)
    count = max(0, int(passed_to - schedule.phase) + 3 - first)
    if count > MOST:
        raise ValueError(f"the schedule of {schedule.op} has more than {MOST:,} requests in the time observed")
    times = due_ns(schedule, np.arange(first, first + count)).astype(np.int64)
    found: Ints = times[(times >= from_ns) & (times < to_ns)]
    return found


def due_ns(schedule: Schedule, numbers: Ints) -> Floats:
    """`Schedule.due_ns` of many requests: the same figures, for the same operations in the same order."""
    found = np.full(numbers.shape, np.nan)
    passed = numbers + schedule.phase
    begin_ns: float = schedule.begin_ns
    for leg in schedule.ramp:
        inside = np.isnan(found) & (passed < leg.requests)
        own = passed[inside]
        root = np.sqrt(np.maximum(0.0, leg.from_per_s**2 + 2 * leg.slope * own))
        after_s = np.divide(2 * own, leg.from_per_s + root, out=np.zeros_like(own), where=own != 0)
        found[inside] = begin_ns + after_s * NS
        passed = passed - leg.requests
        begin_ns += leg.lasts_s * NS
    return np.where(np.isnan(found), begin_ns + passed * schedule.step_ns, found)


def passed(schedule: Schedule, at_ns: Floats) -> Floats:
    """How many requests of the schedule's rate have passed at those times, with the fraction of the next."""
    since_s = np.maximum(0.0, (at_ns - schedule.begin_ns) / NS)
    total = np.zeros(at_ns.shape)
    for leg in schedule.ramp:
        within_s = np.minimum(since_s, leg.lasts_s)
        total += within_s * (leg.from_per_s + leg.slope * within_s / 2)
        since_s = since_s - within_s
    found: Floats = total + since_s * schedule.per_s
    return found


def unrecorded(ops: pl.DataFrame, schedule: Schedule, from_ns: int, to_ns: int) -> Ints:
    """When those requests were due in [from_ns, to_ns) that no op in `ops` records."""
    wanted = due(schedule, from_ns, to_ns)
    if not wanted.size:
        return wanted
    own = (pl.col("op") == schedule.op) & pl.col("intended_ns").is_between(from_ns - 1, to_ns)
    recorded = ops.lazy().filter(own).select("intended_ns").collect()["intended_ns"].to_numpy()
    found: Ints = wanted[~(np.isin(wanted, recorded) | np.isin(wanted + 1, recorded) | np.isin(wanted - 1, recorded))]
    return found
