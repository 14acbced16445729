"""How bad: a history measured, every figure with its bounds; one measure a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from drill.history import OPS_SCHEMA, History, completed
from drill.measure.downtime import downtime, latency
from drill.measure.early import ORDERED, early_acks, shown_ns
from drill.measure.lag import lag
from drill.measure.ledger import STORES, Ledger, ledger
from drill.measure.observed import is_observation, observed
from drill.measure.online import Recovery, recovery
from drill.measure.reach import Reach
from drill.measure.requests import Requests
from drill.measure.rpo import loss, wrong_content
from drill.measure.rto import CohortFigure, Recovered, by_cohort, by_kind, headline, recovery_time, refined_by_kind
from drill.measure.times import Times
from drill.measure.waterfall import Phase, waterfall
from drill.measurement import Measurement
from drill.objective import Objectives

__all__ = ["CohortFigure", "Measurement", "Measurements", "Phase", "Recovery", "measure", "recovery"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that was measured of one history, and what it was measured from.

    `crashed` names each measure that failed with a defect of its own: such a figure is unknown, never good.
    """

    named: Mapping[str, Measurement]
    waterfall: tuple[Phase, ...]
    cohorts: tuple[CohortFigure, ...]
    times: Times
    requests: Requests
    whole: Recovered
    kinds: Mapping[str, Recovered]
    ledgers: Mapping[str, Ledger]
    crashed: tuple[str, ...]

    def __getitem__(self, name: str) -> Measurement:
        return self.named[name]


def measure(history: History, objectives: Objectives) -> Measurements:
    """Every figure of the history; what cannot be measured has no value and says why."""
    ops = sound_ops(history)
    times = Times.of(history.marks)
    clock_s = _clock_s(history.samples)
    crashed: list[str] = []

    def tried(what: str, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except Exception as e:  # a checker that crashes proves nothing, and must say so
            crashed.append(f"the measure of {what} crashed ({type(e).__name__}: {e})")
            return otherwise

    empty = Requests.of(ops.head(0), objectives, None)
    reach = tried("what the fault can have hurt", lambda: Reach.of(ops, times, objectives), None)
    requests = tried("requests", lambda: Requests.of(ops, objectives, reach), empty)
    nothing = recovery_time(empty, Times.of(None), objectives)
    whole = tried("rto", lambda: recovery_time(requests, times, objectives, clock_s=clock_s), nothing)
    cohorts: tuple[CohortFigure, ...] = tried("cohorts", lambda: by_cohort(requests, times, objectives, clock_s), ())
    kinds: dict[str, Recovered] = tried("kinds", lambda: by_kind(ops, times, objectives, reach, clock_s), {})
    rto = headline(whole, refined_by_kind(whole.rto, kinds), cohorts, kinds)
    shown = {ORDERED: tried("what the copy had shown", lambda: shown_ns(history.samples, times), None)}
    ledgers: dict[str, Ledger] = tried(
        "the ledger",
        lambda: {
            store: ledger(store, ops, history.survivors, times, objectives, clock_s, shown.get(store))
            for store in STORES
        },
        {},
    )
    found: list[Measurement] = [rto, *(k.rto for k in kinds.values())]
    if ledgers:
        found += tried("loss", lambda: loss(ledgers, times, history.survivors is not None, clock_s), [])
        found += tried("early acknowledgements", lambda: [early_acks(ledgers[ORDERED])], [])
    found += tried("content", lambda: [wrong_content(ops, ledgers)], [])
    if is_observation(history.marks):
        found += tried("the outage", lambda: observed(requests, times, objectives, clock_s), [])
    else:
        found += tried("downtime", lambda: downtime(whole, times, objectives, clock_s), [])
    found += tried("latency", lambda: latency(ops, times), [])
    found += tried("lag", lambda: lag(history.samples, times), [])
    phases: tuple[Phase, ...] = tried("the waterfall", lambda: waterfall(ops, history.marks, times, whole, rto), ())
    return Measurements(_complete(found), phases, cohorts, times, requests, whole, kinds, ledgers, tuple(crashed))


def sound_ops(history: History) -> pl.DataFrame:
    """The ops that can be counted: none where there are no records, without rows that lack a needed value."""
    if history.ops is None:
        return pl.DataFrame(schema=OPS_SCHEMA)
    ops = completed(history.ops, OPS_SCHEMA)
    needed = ["op", "key", "intended_ns", "began_ns", "ended_ns", "outcome"]
    return ops.drop_nulls(needed) if any(ops[c].null_count() for c in needed) else ops


ALWAYS = {
    "rto_s": "s",
    "rpo_s": "s",
    "lost_writes": "writes",
    "lost_after_fault": "writes",
    "acked_writes": "writes",
    "in_doubt_writes": "writes",
    "downtime_s": "s",
    "lag_p99_s": "s",
    "duplicates": "writes",
    "phantom_writes": "writes",
    "early_acks": "writes",
}


def _complete(found: Iterable[Measurement]) -> dict[str, Measurement]:
    named = {m.name: m for m in found}
    for name, unit in ALWAYS.items():
        named.setdefault(name, Measurement.unknown(name, unit, "its measure crashed"))
    return named


def _clock_s(samples: pl.DataFrame | None) -> float:
    """The uncertainty between the clocks of load generators (samples clock_offset_s), 0 on one machine."""
    if samples is None:
        return 0.0
    found = samples.filter(pl.col("metric") == "clock_offset_s")["value"].abs().max()
    return float(found) if isinstance(found, int | float) else 0.0
