"""Recovery time: from the fault taking effect to the first good request from which service stays up.

For the whole service, and for each cohort of clients: a service that some clients cannot reach is not back, so the
figure is the worst of all. For each kind of op (read, write, object) beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from drill.history import NS
from drill.measure.chance import binomial_tail
from drill.measure.closed_loop import DUE, Sampled, with_omitted
from drill.measure.ended import ended_by_itself
from drill.measure.later import latest_end
from drill.measure.outage import Outage, Outages, find_outages
from drill.measure.reach import Reach
from drill.measure.requests import Requests
from drill.measure.times import Times
from drill.measurement import Measurement
from drill.objective import Objectives

CHANCE = 0.01
LIKELY = 0.5
"""What is more likely than not in an outage that goes on does not speak for its end."""
KINDS = {"rto_read_s": "read", "rto_write_s": "write", "rto_object_s": "put_object"}


@dataclass(frozen=True, slots=True)
class CohortFigure:
    """What one cohort of clients met with, counted from the fault to the end of observation."""

    cohort: str
    requests: int
    failed: int
    rto: Measurement
    felt: bool


@dataclass(frozen=True, slots=True)
class Recovered:
    """Recovery of one set of requests; `outages` index into `requests`, which are those since the fault.

    `sharp_upper`: the upper bound without a phase too mild to be told apart (drill.measure.later).
    """

    requests: Requests
    outages: Outages
    rto: Measurement
    sharp_upper: float | None = None

    @property
    def felt(self) -> bool:
        """Whether the fault was felt at all."""
        return bool(self.outages.found)

    def failed_after(self, ns: int) -> bool:
        """Whether an outage holds a request that was due at `ns` or later."""
        return any(int(self.requests.due_ns[o.last_bad]) >= ns for o in self.outages.found)


def recovery_time(
    requests: Requests,
    times: Times,
    objectives: Objectives,
    *,
    clock_s: float = 0.0,
    name: str = "rto_s",
    who: str = "",
    sampled: Sampled = DUE,
) -> Recovered:
    """Recovery of `requests` (the whole drill's), with its bracket; `clock_s` is the uncertainty between clocks."""
    basis = sampled.basis + (f", {who}" if who else "")
    if times.fault is None or times.end_ns is None:
        missing = "fault" if times.fault is None else "drill.end"
        why = f"there is no {missing} mark to count from or to"
        return Recovered(requests, Outages(()), Measurement.unknown(name, "s", why, basis))
    begin_ns, effective_ns = times.fault
    seen = requests.from_fault(begin_ns, times.end_ns)
    if not len(seen):
        why = "no request was due between the fault and the end of observation"
        return Recovered(seen, Outages(()), Measurement.unknown(name, "s", why, basis))
    outages, value, lower, upper, sharp, because = _told(seen, begin_ns, effective_ns, times.end_ns, objectives)
    filled = with_omitted(seen, sampled.omitted_ns)
    if len(filled) > len(seen):
        _, _, _, worst, worst_sharp, _ = _told(filled, begin_ns, effective_ns, times.end_ns, objectives)
        if worst > upper:
            because = f"{because}; at worst all {len(filled) - len(seen)} requests failed that waiting clients omitted"
        upper, sharp = max(upper, worst), max(sharp, worst_sharp)
    lower, upper, sharp = max(0.0, lower - clock_s), upper + clock_s, sharp + clock_s
    because += ended_by_itself(times, lower, upper, effective_ns, felt=outages.last is not None)
    return Recovered(seen, outages, Measurement(name, value, lower, upper, "s", because, basis), sharp)


def _told(
    seen: Requests, begin_ns: int, effective_ns: int, end_ns: int, objectives: Objectives
) -> tuple[Outages, float, float, float, float, str]:
    """(outages, value, lower, upper, upper without a phase too mild to be told apart, because)."""
    outages = find_outages(seen.due_ns, seen.bad, seen.stratum, objectives.allowance, round(objectives.window_s * NS))
    value, lower, upper, because = _bracket(seen, outages, begin_ns, effective_ns, end_ns, objectives)
    sharp, last = upper, outages.last
    if last is not None and last.first_good is not None and not math.isinf(value):
        later = latest_end(seen, last.first_good, objectives.allowance)
        if later == len(seen):
            upper, because = math.inf, f"{because}, but some kind of request behind it failed to the end"
        elif later is not None:
            upper = max(upper, (int(seen.ended_ns[later]) - begin_ns) / NS)
    return outages, value, lower, upper, sharp, because


def headline(
    whole: Recovered, told: Measurement, cohorts: Iterable[CohortFigure], kinds: Mapping[str, Recovered]
) -> Measurement:
    """Recovery of all requests taken together (`told`), unless some cohort or kind was provably back only later.

    A part's own figure is coarser (it has fewer requests), so it takes the place only where its whole bracket lies behind.
    But nobody knows that service was back for a part that was down before its own bracket ends.
    """
    worst, sharp = told, whole.sharp_upper
    parts = [(f"cohort {c.cohort}", c.rto) for c in cohorts if c.felt]
    parts += [(k.rto.basis.rpartition(", ")[2], k.rto) for k in kinds.values() if k.felt]
    for who, rto in parts:
        if rto.value is None or rto.lower is None or sharp is None:
            continue
        if rto.lower > sharp:
            worst, sharp = replace(rto, name=told.name, because=f"{who}: {rto.because}"), rto.upper
    uppers = [rto.upper for _, rto in parts if rto.upper is not None]
    if worst.value is None or worst.upper is None or not uppers:
        return worst
    return replace(worst, upper=max(worst.upper, told.upper or 0.0, *uppers))


def refined_by_kind(whole: Measurement, kinds: Mapping[str, Recovered]) -> Measurement:
    """Where one kind of op alone was hurt, its own requests tell the end best; the bracket is `headline`'s matter.

    (Among all requests its few are split further by cohort, and the first good one of a cohort seen twice says little.)
    """
    hurt = [k.rto for k in kinds.values() if k.felt]
    if len(hurt) != 1 or whole.value is None or math.isinf(whole.value):
        return whole
    value = hurt[0].value
    if value is None or not (whole.lower or 0.0) <= value <= (whole.upper or 0.0) or math.isinf(value):
        return whole
    return replace(whole, value=value, because=f"{hurt[0].basis}: {hurt[0].because}")


def by_cohort(
    requests: Requests, times: Times, objectives: Objectives, clock_s: float, sampled: Sampled = DUE
) -> tuple[CohortFigure, ...]:
    """One figure for each cohort of clients."""
    figures = []
    for cohort in requests.cohorts:
        own, who = requests.of_cohort(cohort), f"cohort {cohort}"
        found = recovery_time(own, times, objectives, clock_s=clock_s, who=who, sampled=sampled)
        counted = found.rto.value is not None
        figures.append(
            CohortFigure(
                cohort,
                len(found.requests) if counted else 0,
                int(found.requests.bad.sum()) if counted else 0,
                found.rto,
                found.felt,
            )
        )
    return tuple(figures)


def by_kind(
    ops: pl.DataFrame,
    times: Times,
    objectives: Objectives,
    reach: Reach | None,
    clock_s: float,
    sampled: Sampled = DUE,
) -> dict[str, Recovered]:
    """rto_read_s, rto_write_s, rto_object_s, and rto_KIND_s of any other; a kind that nobody asked for is not measured."""
    found: dict[str, Recovered] = {}
    kinds = set(ops["op"].unique().to_list())
    names = KINDS | {f"rto_{kind}_s": kind for kind in sorted(kinds - set(KINDS.values()))}
    since = pl.lit(True)
    if times.begin_ns is not None:  # what was over before the fault says nothing of recovery
        since = (pl.col("intended_ns") >= times.begin_ns) | (pl.col("ended_ns") >= times.begin_ns)
    needed = ops.lazy().select("op", "cohort", "intended_ns", "ended_ns", "outcome")
    for name, kind in names.items():
        if kind not in kinds:
            why = f"no {kind} was asked for"
            nothing = Requests.of(ops.head(0), objectives, reach)
            found[name] = Recovered(nothing, Outages(()), Measurement.unknown(name, "s", why))
            continue
        own = needed.filter(since & (pl.col("op") == kind)).collect()
        requests = Requests.of(own, objectives, reach)
        who = f"{kind} ops alone"
        found[name] = recovery_time(requests, times, objectives, clock_s=clock_s, name=name, who=who, sampled=sampled)
    return found


def _bracket(
    seen: Requests, outages: Outages, begin_ns: int, effective_ns: int, end_ns: int, objectives: Objectives
) -> tuple[float, float, float, str]:
    """(value, lower, upper, because)."""
    due = seen.due_ns
    doubt = ""
    last = outages.last
    if last is None:
        value, lower = 0.0, 0.0
        upper = _longest_without_good(seen, begin_ns, end_ns)
        because = "no outage that cannot be chance was seen after the fault"
    else:
        # nothing is known of the time after the last request
        asked_s = max(0.0, (int(due[-1]) - effective_ns) / NS)
        if last.first_good is None:
            because = f"never recovered in the {asked_s:.1f} s that were observed"
            return math.inf, asked_s, math.inf, because
        value = max(0.0, (int(due[last.first_good]) - effective_ns) / NS)
        lower = max(0.0, (int(due[last.ends_after]) - effective_ns) / NS)
        upper = math.inf if last.ends_before is None else (up_by_ns(seen, last) - begin_ns) / NS
        again = len(outages.found)
        flaps = f", the last of {again} outages" if again > 1 else ""
        because = f"good again {value:.3f} s after the fault and up from then on{flaps}"
        after = seen.bad[last.first_good :]
        failed, n = int(after.sum()), int(after.size)
        chance = binomial_tail(failed, n, objectives.allowance) if failed > objectives.allowance * n else 1.0
        if chance < CHANCE:
            because = f"never held: {failed} of the {n} requests after the last outage failed"
            return math.inf, asked_s if chance < CHANCE**3 else lower, math.inf, because
        held_s = (int(due[-1]) - int(due[last.first_good])) / NS
        if held_s < objectives.settle_s and last.goes_on >= LIKELY:
            because = (
                f"never recovered: the good requests of its last {held_s:.1f} s are no more than such an outage has"
            )
            return math.inf, lower, math.inf, because
        if last.ends_before is None:
            doubt = f"the good requests of its last {held_s:.1f} s may be luck"
        elif held_s < objectives.settle_s:
            doubt = f"held for only {held_s:.1f} s of the {objectives.settle_s:g} s it must"
    if outages.suspect is not None:
        doubt = f"the last requests failed again from {(int(due[outages.suspect]) - effective_ns) / NS:.3f} s on"
    if doubt:
        return value, lower, math.inf, f"{because}, but {doubt}"
    return value, lower, max(value, upper), because


def up_by_ns(seen: Requests, outage: Outage) -> int:
    """When it was proved that the outage is over: the first answer to a request that surely came behind its end.

    A good request shows service at some time between its begin and its answer, which need not be when it was due.
    """
    assert outage.ends_before is not None
    first = outage.ends_before
    until = int(np.searchsorted(seen.due_ns, int(seen.ended_ns[first]), side="right"))
    told = ~seen.bad[first:until]
    if outage.telling:
        told &= np.isin(seen.stratum[first:until], outage.telling)
    answers = seen.ended_ns[first:until][told]
    return int(answers.min()) if answers.size else int(seen.ended_ns[first])


def _longest_without_good(seen: Requests, begin_ns: int, end_ns: int) -> float:
    """Seconds: an outage shorter than this could have gone unseen."""
    good = seen.due_ns[(~seen.bad) & (seen.due_ns >= begin_ns)]
    return int(np.diff(np.concatenate(([begin_ns], good, [end_ns]))).max()) / NS
