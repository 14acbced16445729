"""Which requests were due by the load's own schedule and have no record: lost, or without an answer yet."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import Mark
from drill.schedule import EVENT, Schedule

MOST = 10_000_000
"""As many as a record may hold rows (drill.parquet_file)."""

Ints = npt.NDArray[np.int64]


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
    first = max(0, int((from_ns - schedule.begin_ns) / schedule.step_ns - schedule.phase) - 1)
    count = max(0, int((to_ns - from_ns) / schedule.step_ns) + 4)
    if count > MOST:
        raise ValueError(f"the schedule of {schedule.op} has more than {MOST:,} requests in the time observed")
    times = (schedule.begin_ns + (np.arange(first, first + count) + schedule.phase) * schedule.step_ns).astype(np.int64)
    found: Ints = times[(times >= from_ns) & (times < to_ns)]
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
