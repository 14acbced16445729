"""Histories with a scripted truth: who was down from when to when is known to the nanosecond."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS, OPS_SCHEMA, SURVIVORS_SCHEMA, History, Mark, Sample, completed
from drill.objective import Objectives

LIMITS = Objectives(rto_s=10.0, rpo_s=1.0, lost_writes=0, lag_p99_s=1.0, deadline_s=1.0, settle_s=3.0, window_s=1.0)
PRIMARY, STANDBY = "us-east-1", "us-west-2"
TOOK_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Script:
    """A drill in seconds since t0: the fault strikes at `fault_s` and service is back `down_s` later.

    Requests are due every 1 / `rate` s, two writes, then a read; each tenth write has a receipt. `strays`: numbers of
    requests that fail by chance; `lucky`: those that succeed although service is down. `lost`: how many of the last
    acknowledged writes before the fault did not survive.
    """

    rate: float = 50.0
    fault_s: float = 8.0
    down_s: float = 4.0
    end_s: float = 20.0
    strays: Collection[int] = ()
    lucky: Collection[int] = ()
    lost: int = 0
    cohorts: tuple[str, ...] = ("follower",)
    slow_s: float = 0.0
    """Answers of the outage come after this time instead of failing, where it is not 0."""
    flaps: tuple[tuple[float, float], ...] = field(default=())
    """Further outages, [from, to) in seconds since t0."""

    @property
    def due_s(self) -> npt.NDArray[np.float64]:
        """When each request is due."""
        return np.arange(int(self.end_s * self.rate)) / self.rate

    @property
    def back_s(self) -> float:
        """When service is back for good, in seconds since t0."""
        return max([self.fault_s + self.down_s, *(b for _, b in self.flaps)])


def down(script: Script) -> npt.NDArray[np.bool_]:
    """Which requests are due while service is down."""
    due = script.due_s
    found: npt.NDArray[np.bool_] = (due >= script.fault_s) & (due < script.fault_s + script.down_s)
    for a, b in script.flaps:
        found |= (due >= a) & (due < b)
    return found


def ops_of(script: Script) -> pl.DataFrame:
    """Its ops; an order with a receipt is two, as the recorder writes them."""
    due = script.due_s
    n = due.size
    number = np.arange(n)
    hit = down(script)
    hit[[i for i in script.lucky if i < n]] = False
    hit[[i for i in script.strays if i < n]] = True
    slow = hit & (script.slow_s > 0)
    due_ns = np.round(due * NS).astype(np.int64)
    took = np.where(slow, round(script.slow_s * NS), TOOK_NS)
    orders = pl.DataFrame(
        {
            "op": np.where(number % 3 == 2, "read", "write"),
            "key": number + 1000,
            "cohort": np.array(script.cohorts)[(number // 3) % len(script.cohorts)],
            "intended_ns": due_ns,
            "began_ns": due_ns + 100_000,
            "ended_ns": due_ns + took,
            "outcome": np.where(hit & ~slow, "fail", "ok"),
            "region": np.where(due < script.fault_s, PRIMARY, STANDBY),
            "status": np.where(hit & ~slow, 503, 201),
            "error": None,
        }
    )
    receipts = orders.filter((pl.col("op") == "write") & (pl.col("key") % 10 == 0))
    whole = pl.concat([orders, receipts.with_columns(op=pl.lit("put_object"))])
    return completed(whole, OPS_SCHEMA)


def survivors_of(ops: pl.DataFrame, script: Script) -> pl.DataFrame:
    """What the survivors hold: every acknowledged write but the last `lost` rows before the fault."""
    acked = ops.filter((pl.col("outcome") == "ok") & (pl.col("op") != "read")).sort("intended_ns")
    rows = acked.filter((pl.col("op") == "write") & (pl.col("ended_ns") <= round(script.fault_s * NS)))
    gone = rows.tail(script.lost)["key"].to_list() if script.lost else []
    kept = acked.filter(~((pl.col("op") == "write") & pl.col("key").is_in(gone)))
    stores = pl.when(pl.col("op") == "write").then(pl.lit("aurora")).otherwise(pl.lit("s3"))
    at_ns = round((script.end_s + 1) * NS)
    found = kept.select(store=stores, key="key", copies=pl.lit(1), at_ns=pl.lit(at_ns))
    return completed(found, SURVIVORS_SCHEMA)


def marks_of(script: Script) -> tuple[Mark, ...]:
    """The marks of a failover whose every step is seen."""

    def mark(at_s: float, event: str, subject: str = "", detail: str = "") -> Mark:
        return Mark(round(at_s * NS), event, subject, detail)

    f, d = script.fault_s, script.down_s
    return (
        mark(0.0, "drill.expects", "scripted", "bite"),
        mark(0.0, "drill.baseline", "traffic"),
        mark(0.1, "dns.answer", "api.dr-drill.example", PRIMARY),
        mark(f - 0.001, "fault.begin", PRIMARY, "region_lost"),
        mark(f, "fault.effective", PRIMARY, "region_lost"),
        mark(f + 0.3 * d, "health_check.unhealthy", PRIMARY),
        mark(f + 0.4 * d, "dns.answer", "api.dr-drill.example", STANDBY),
        mark(f + 0.5 * d, "promotion.begin", "dr-drill"),
        mark(f + 0.8 * d, "promotion.end", "dr-drill"),
        mark(script.end_s, "drill.end", "traffic"),
        mark(script.end_s + 2, "fault.healed", PRIMARY),
    )


def samples_of(script: Script, lag_s: float = 0.02) -> list[Sample]:
    """A heartbeat of each store every tenth of a second, until the fault."""
    at = np.arange(0.05, script.fault_s, 0.1)
    return [
        *(Sample(round(t * NS), "replication_lag_s", store, lag_s) for t in at for store in ("aurora", "s3")),
        *(Sample(round(t * NS), "dispatch_lag_s", "locust-0", 0.001) for t in at),
    ]


def history(script: Script | None = None, **changes: Any) -> History:
    """The whole history of a script (or of the plain one with `changes`): MET under LIMITS unless the script is bad."""
    script = dataclasses.replace(script or Script(), **changes)
    ops = ops_of(script)
    return History(
        ops=ops,
        marks=marks_of(script),
        samples=History.of(samples=samples_of(script)).samples,
        survivors=survivors_of(ops, script),
    )


def altered(whole: History, **parts: Any) -> History:
    """The history with other ops, marks, samples or survivors."""
    return dataclasses.replace(whole, **parts)


def without(whole: History, *events: str) -> History:
    """The history without the marks of those events."""
    return altered(whole, marks=tuple(m for m in whole.marks or () if m.event not in events))
