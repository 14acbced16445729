"""Where the seconds went: from the fault to sustained service, step by step, the steps adding up to the RTO.

Steps stand in the order in which they happened. A step whose mark is missing is shown as missing, never guessed; one
that came only after service was back is said to have, and takes no part of the sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from drill.history import NS, Mark
from drill.measure.rto import Recovered
from drill.measure.times import Times
from drill.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Phase:
    """One step in seconds since the fault took effect; `to_s` is None where it is missing, and `note` says why."""

    phase: str
    from_s: float
    to_s: float | None
    note: str = ""


def waterfall(
    ops: pl.DataFrame, marks: Iterable[Mark] | None, times: Times, whole: Recovered, rto: Measurement
) -> tuple[Phase, ...]:
    """The steps of a recovery; empty where there was no outage or no fault mark."""
    if times.fault is None or times.end_ns is None or rto.value is None or not (whole.felt or math.isinf(rto.value)):
        return ()
    begin_ns, zero = times.fault
    end_ns = times.end_ns
    marks = sorted(marks or (), key=lambda m: (m.at_ns, m.event, m.detail))
    first_bad = int(whole.requests.due_ns[whole.outages.found[0].first_bad]) if whole.felt else None
    moved, wrote = _elsewhere(ops, begin_ns)
    at = {
        "first failed request": first_bad,
        "health check unhealthy": _first(marks, "health_check.unhealthy", begin_ns),
        "dns answer flips": _flip(marks, begin_ns),
        "first client on the standby": moved,
        "promotion begins": _first(marks, "promotion.begin", begin_ns),
        "promotion ends": _first(marks, "promotion.end", begin_ns),
        "first acknowledged write": wrote,
    }
    back_s = rto.value
    reached = {name: max(0.0, (ns - zero) / NS) for name, ns in at.items() if ns is not None and ns <= end_ns}
    order = list(at)
    steps = sorted((s, order.index(name), name) for name, s in reached.items() if s <= back_s)
    found: list[Phase] = []
    since = 0.0
    for s, _, name in steps:
        found.append(Phase(name, since, s))
        since = s
    if math.isinf(back_s):
        found.append(Phase("sustained", since, None, rto.because))
    else:
        found.append(Phase("sustained", since, back_s))
    for name in order:
        if name not in reached:
            found.insert(_place(found, name, order), Phase(name, 0.0, None, "no mark of it"))
        elif reached[name] > back_s:
            found.insert(
                _place(found, name, order),
                Phase(name, 0.0, None, f"only {reached[name]:.3f} s after the fault, when service was back"),
            )
    return tuple(_anchored(found))


def _place(found: list[Phase], name: str, order: list[str]) -> int:
    """Behind the last step that belongs before it."""
    before = set(order[: order.index(name)])
    return max((i + 1 for i, p in enumerate(found) if p.phase in before), default=0)


def _anchored(found: list[Phase]) -> Iterable[Phase]:
    since = 0.0
    for phase in found:
        if phase.to_s is None:
            yield Phase(phase.phase, since, None, phase.note)
        else:
            yield phase
            since = phase.to_s


def _first(marks: list[Mark], event: str, from_ns: int) -> int | None:
    return next((m.at_ns for m in marks if m.event == event and m.at_ns >= from_ns), None)


def _flip(marks: list[Mark], from_ns: int) -> int | None:
    """The first authoritative answer after the fault that differs from the last one before it."""
    answers = [m for m in marks if m.event == "dns.answer"]
    before = next((m.detail for m in reversed(answers) if m.at_ns < from_ns), None)
    return next((m.at_ns for m in answers if m.at_ns >= from_ns and m.detail != before), None)


def _elsewhere(ops: pl.DataFrame, begin_ns: int) -> tuple[int | None, int | None]:
    """When the first op, and the first write, was due that another region served than the one before the fault."""
    served = ops.lazy().filter((pl.col("outcome") == "ok") & pl.col("region").is_not_null())
    early = served.filter(pl.col("ended_ns") < begin_ns).group_by("region").len("count")
    before = early.sort("count", "region").collect()
    if before.is_empty():
        return None, None
    elsewhere = (pl.col("intended_ns") >= begin_ns) & (pl.col("region") != before["region"][-1])
    due, write = pl.col("intended_ns"), pl.col("op") == "write"
    found = served.filter(elsewhere).select(due.min(), wrote=due.filter(write).min()).collect()
    return found["intended_ns"][0], found["wrote"][0]
