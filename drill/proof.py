"""What is wanting in the proof: every reason why the figures of a history, good as they look, prove nothing.

Each function asks one question and yields sentences. A drill with any such sentence is never MET.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import polars as pl

from drill.history import NS, History
from drill.measure import Measurements, sound_ops
from drill.measure.chance import binomial_tail
from drill.measure.outage import find_outages
from drill.objective import Objectives
from drill.regions import REGIONS

CHANCE = 0.01
LEAST_BASELINE = 10
"""A steady state seen in fewer requests than this was not seen."""
LATE_P99_S = 0.25
LATE_WORST_S = 1.0
EARLY_S = 0.01
"""A request may begin this much before its intended start: a sleep's own imprecision. More is a clock that jumped."""
LEAST_GAP_S = 1.0
GAPS = 5.0
"""The load has stopped when nothing was due for this many times the 90th percentile of its usual gap."""
OUTCOMES = ("ok", "fail", "unknown")
OFF_COURSE = {
    "stand_up.refused": "{subject} was not stood up: {detail}",
    "baseline.failed": "the steady state could not be observed: {detail}",
    "drill.refused": "the drill was refused: {detail}",
    "fault.failed": "the fault could not be injected: {detail}",
    "observation.failed": "the observation ended in an error: {detail}",
    "heal.failed": "the fault in {subject} was not healed: {detail}",
    "steady.failed": "the system did not serve as before once the fault was healed: {detail}",
    "drill.interrupted": "the drill was interrupted ({subject})",
}
"""Marks of what ended a drill early, each with its sentence."""


def doubts(history: History, found: Measurements, objectives: Objectives, *, must_bite: bool) -> Iterator[str]:
    """Every reason for UNPROVEN that the records give."""
    yield from _deaths(history)
    yield from _course(history)
    yield from found.crashed
    yield from _records(history)
    yield from _marks(history, found)
    if history.ops is None:
        return
    ops = sound_ops(history)
    yield from _clock(ops)
    yield from _generator(history, ops, found)
    yield from _steady_state(found, objectives)
    yield from _load(found)
    if must_bite and found.times.fault is not None and not _felt(found):
        yield "nobody felt the fault: no outage that cannot be chance was seen after it"
    yield from _ledger(history, found)
    yield from _regions(history, ops)


def _deaths(history: History) -> Iterator[str]:
    """Asked first: whatever else is wanting may have come of it."""
    for mark in history.marks or ():
        if mark.event == "probe.died":
            yield f"the probe {mark.subject} died: {mark.detail}"


def _course(history: History) -> Iterator[str]:
    """What kept the drill from taking its course."""
    for mark in history.marks or ():
        if mark.event in OFF_COURSE:
            yield OFF_COURSE[mark.event].format(subject=mark.subject, detail=mark.detail)


def _records(history: History) -> Iterator[str]:
    for name, part, needed in (
        ("ops.parquet", history.ops, ("op", "key", "intended_ns", "began_ns", "ended_ns", "outcome")),
        ("survivors.parquet", history.survivors, ("store", "key", "copies", "at_ns")),
    ):
        if part is None:
            yield f"{name} is missing"
            continue
        for column in needed:
            if part[column].null_count():
                yield f"{name}: {part[column].null_count()} rows have no {column}"
    if history.marks is None:
        yield "marks.jsonl is missing"
    if history.samples is None:
        yield "samples.parquet is missing"
    if history.ops is not None:
        strange = history.ops.filter(~pl.col("outcome").is_in(OUTCOMES)).height
        if strange:
            yield f"{strange} ops have an outcome that is none of {', '.join(OUTCOMES)}"


def _marks(history: History, found: Measurements) -> Iterator[str]:
    times = found.times
    if times.begin_ns is None or times.effective_ns is None:
        missing = "fault.begin" if times.begin_ns is None else "fault.effective"
        yield f"there is no fault: the mark {missing} is missing"
    elif times.effective_ns < times.begin_ns:
        yield "the fault took effect before it began: the clock went backwards"
    if times.end_ns is None:
        yield "the observation did not end: there is no drill.end after the fault"
    elif times.effective_ns is not None and times.end_ns < times.effective_ns:
        yield "the observation ended before the fault took effect"


def _clock(ops: pl.DataFrame) -> Iterator[str]:
    back = ops.filter(pl.col("ended_ns") < pl.col("began_ns")).height
    if back:
        yield f"{back} ops ended before they began: the clock went backwards"
    early = ops.filter(pl.col("began_ns") < pl.col("intended_ns") - round(EARLY_S * NS)).height
    if early:
        yield f"{early} ops began before they were due: the clock went backwards"


def _generator(history: History, ops: pl.DataFrame, found: Measurements) -> Iterator[str]:
    times = found.times
    from_ns = times.baseline_ns if times.baseline_ns is not None else -(2**62)
    to_ns = times.end_ns if times.end_ns is not None else 2**62
    seen = ops.select("intended_ns", "began_ns", "error").filter(pl.col("intended_ns").is_between(from_ns, to_ns))
    late = (seen["began_ns"] - seen["intended_ns"]).to_numpy() / NS
    if late.size:
        p99, worst = float(np.quantile(late, 0.99, method="higher")), float(late.max())
        if p99 > LATE_P99_S or worst > LATE_WORST_S:
            yield f"the load generator fell behind: requests began up to {worst:.2f} s late (p99 {p99:.2f} s)"
    overload = seen.filter(pl.col("error") == "client_overload").height
    if overload:
        yield f"the load generator fell behind: it could not send {overload} requests"
    if history.samples is None:
        return
    lags = history.samples.filter(
        (pl.col("metric") == "dispatch_lag_s") & (pl.col("at_ns") >= from_ns) & (pl.col("at_ns") <= to_ns)
    )["value"].to_numpy()
    if np.isnan(lags).any():
        yield f"{int(np.isnan(lags).sum())} samples of dispatch_lag_s are not a number"
    elif lags.size and float(lags.max()) > LATE_WORST_S:
        yield f"the load generator fell behind: dispatch_lag_s reached {float(lags.max()):.2f} s"


def _steady_state(found: Measurements, objectives: Objectives) -> Iterator[str]:
    times = found.times
    if times.baseline_ns is None:
        yield "no steady state before the fault: there is no drill.baseline mark"
        return
    if times.begin_ns is None:
        return
    before = found.requests.between(times.baseline_ns, times.begin_ns)
    before = before.untouched()
    if len(before) < LEAST_BASELINE:
        yield f"no steady state before the fault: {len(before)} requests, at least {LEAST_BASELINE} are needed"
        return
    who = [("", before)]
    if len(before.cohorts) > 1:
        who += [(f" for the cohort {c}", before.of_cohort(c)) for c in before.cohorts]
    for name, part in who:
        failed, n = int(part.bad.sum()), len(part)
        if failed > objectives.allowance * n and binomial_tail(failed, n, objectives.allowance) < CHANCE:
            yield f"no steady state before the fault{name}: {failed} of {n} requests failed"
            return
    window_ns = round(objectives.window_s * NS)
    if find_outages(before.due_ns, before.bad, before.stratum, objectives.allowance, window_ns).found:
        yield "no steady state before the fault: service was down for a while"


def _load(found: Measurements) -> Iterator[str]:
    """The load must flow from the baseline to the end of observation, of every cohort."""
    times = found.times
    if times.baseline_ns is None or times.begin_ns is None or times.end_ns is None:
        return
    seen = found.requests.between(times.baseline_ns, times.end_ns + 1)
    for cohort in (None, *(seen.cohorts if len(seen.cohorts) > 1 else ())):
        due_ns = seen.due_ns if cohort is None else seen.due_of(cohort)
        name = "the load" if cohort is None else f"the load of the cohort {cohort}"
        if not due_ns.size:
            yield f"{name} never flowed between drill.baseline and the end of observation"
            continue
        gaps = np.diff(np.concatenate(([times.baseline_ns], due_ns, [times.end_ns]))) / NS
        usual = float(np.quantile(gaps, 0.9, method="higher")) if gaps.size > 2 else math.inf
        limit = max(LEAST_GAP_S, GAPS * usual)
        worst = int(np.argmax(gaps))
        if gaps[worst] > limit:
            at_s = ((due_ns[worst - 1] if worst else times.baseline_ns) - times.begin_ns) / NS
            yield f"{name} stopped for {gaps[worst]:.1f} s from {at_s:+.1f} s of the fault on"


def _felt(found: Measurements) -> bool:
    return found.whole.felt or any(c.rto.value for c in found.cohorts) or any(k.felt for k in found.kinds.values())


def _ledger(history: History, found: Measurements) -> Iterator[str]:
    ledgers = found.ledgers.values()
    if found.times.fault is not None and not any(x.acked_before for x in ledgers):
        yield "nothing was acknowledged before the fault, so nothing could be lost"
    read = {m.subject or "both" for m in history.marks or () if m.event == "survivors.unread"}
    if read:
        yield f"the survivors were not read ({', '.join(sorted(read))})"
    for x in ledgers:
        if x.acked_twice:
            yield f"{x.acked_twice} writes to {x.store} were acknowledged under a key that had been acknowledged already"
        if x.phantoms:
            yield f"{x.phantoms} keys in {x.store} were sent by nobody this drill knows: its records are not complete"
        if history.survivors is None:
            continue
        if x.acked and not x.read:
            yield f"no key of {x.store} survived, or its survivors were not read"
        if x.read_ns is not None and found.times.effective_ns is not None and x.read_ns < found.times.effective_ns:
            yield f"the survivors of {x.store} were read before the fault took effect"


def _regions(history: History, ops: pl.DataFrame) -> Iterator[str]:
    named = {str(r) for r in ops["region"].unique().to_list() if r}
    unknown = sorted(named - REGIONS)
    if unknown:
        words = " ".join(f"{m.subject} {m.detail}" for m in history.marks or ())
        unknown = [r for r in unknown if r not in words]
    if unknown:
        yield f"ops were served by {', '.join(unknown)}, a region that nobody knows"
