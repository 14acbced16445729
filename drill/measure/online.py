"""The same measure while the drill still runs: is service down, and if it is back, since when?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from drill.history import NS, OPS_SCHEMA, completed
from drill.measure.outage import find_outages
from drill.measure.requests import Requests
from drill.measure.unrecorded import unrecorded
from drill.objective import Objectives
from drill.schedule import Schedule

UNDER_WAY_NS = NS // 4
"""An answer's record is here by then."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """The state of the moment, of requests old enough to have been decided (due at least a deadline ago).

    `felt`: the fault was felt. `down`: service is down. `recovered_at_ns`: the first good request from which service
    is up, None while it is down or was never touched. `held_s`: for how long that has held. `share_good`: of the last
    window, None where no request was due in it.
    """

    felt: bool
    down: bool
    recovered_at_ns: int | None
    held_s: float
    share_good: float | None


def recovery(
    ops: pl.DataFrame,
    objectives: Objectives,
    fault_ns: int | None,
    now_ns: int,
    schedules: Sequence[Schedule] = (),
    overdue_ns: int | None = None,
) -> Recovery:
    """Where the drill stands at `now_ns`; `fault_ns` is when the fault took effect, None before it.

    Looks only at ops since the fault, so it is cheap enough for a few times a second. A request without an answer is not
    in `ops`: by the load's `schedules` it is known to be open, and bad once it is for `overdue_ns` (default: the
    deadline). Without schedules, only requests due a deadline ago are looked at, so that fast answers hide none.
    """
    late_ns = objectives.deadline_ns if overdue_ns is None or not schedules else overdue_ns
    decided_ns = now_ns - late_ns - (UNDER_WAY_NS if schedules else 0)
    window_ns = round(objectives.window_s * NS)
    from_ns = decided_ns - window_ns if fault_ns is None else min(fault_ns, decided_ns - window_ns)
    tail = ops.filter((pl.col("intended_ns") >= from_ns) & (pl.col("intended_ns") <= decided_ns))
    still_open = [_open(tail, s, from_ns, decided_ns, now_ns) for s in schedules]
    requests = Requests.of(pl.concat([tail, *still_open]) if still_open else tail, objectives, None)
    window = requests.between(decided_ns - window_ns, decided_ns + 1)
    share = 1.0 - float(window.bad.mean()) if len(window) else None
    since = requests if fault_ns is None else requests.between(fault_ns, decided_ns + 1)
    if fault_ns is None or not len(since):
        return Recovery(felt=False, down=False, recovered_at_ns=None, held_s=0.0, share_good=share)
    outages = find_outages(since.due_ns, since.bad, since.stratum, objectives.allowance, window_ns)
    last = outages.last
    if last is None:
        return Recovery(
            felt=False, down=outages.suspect is not None, recovered_at_ns=None, held_s=0.0, share_good=share
        )
    if last.first_good is None or outages.suspect is not None:
        return Recovery(felt=True, down=True, recovered_at_ns=None, held_s=0.0, share_good=share)
    back_ns = int(since.due_ns[last.first_good])
    held_s = (int(since.due_ns[-1]) - back_ns) / NS
    return Recovery(felt=True, down=False, recovered_at_ns=back_ns, held_s=held_s, share_good=share)


def _open(ops: pl.DataFrame, schedule: Schedule, from_ns: int, to_ns: int, now_ns: int) -> pl.DataFrame:
    """The requests of a schedule that have no answer yet, as ops that are in doubt."""
    due = unrecorded(ops, schedule, from_ns, to_ns)
    columns = {"op": schedule.op, "key": 0, "cohort": "", "intended_ns": due, "began_ns": due, "ended_ns": now_ns}
    none = {"region": None, "status": None, "error": None}
    return completed(pl.DataFrame(columns | {"outcome": "unknown"} | none, schema_overrides=OPS_SCHEMA), OPS_SCHEMA)
