"""Was everything asked for that was to be asked for, on time, until the end of observation?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS, History
from drill.imported_load import imported_load
from drill.measure import Measurements
from drill.measure.even_time import EvenTime
from drill.measure.unrecorded import schedules, unrecorded
from drill.objective import Objectives
from drill.proof.doubt import Doubt, Figures

LATE_P99_S = 0.25
LATE_WORST_S = 1.0
EARLY_S = 0.01
"""A request may begin this much before its intended start: a sleep's own imprecision. More is a clock that jumped."""
EDGE_NS = 1_000_000
"""What is due as good as at the end of observation may lie on either side of it."""
LEAST_GAP_S = 1.0
GAPS = 5.0
"""The load has stopped when nothing was due for this many times the 90th percentile of its usual gap."""
RANDOM_GAPS = 8.0
"""A last gap in which so many requests were to be expected is none of random arrivals (1 in 3,000)."""
PIECES = 16
"""The time since the fault is looked at in all stretches that begin and end at one of so many equal pieces."""
SURE = 4.5
"""A shortfall of this many standard deviations in any of those stretches is no chance."""
SURE_WHOLE = 3.0
"""... and of this many where only two stretches are asked: all since the fault, and all since service was back."""
LESS = 0.85
"""... and only where less than this share came of what was to be expected: random arrivals drift by a tenth."""
REGULAR = 0.02
"""The least dispersion of counts that is believed of a schedule; random arrivals have 1."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def clock(ops: pl.DataFrame) -> Iterator[Doubt]:
    """No op ended before it began, nor began before it was due."""
    back = ops.filter(pl.col("ended_ns") < pl.col("began_ns")).height
    if back:
        yield Doubt(f"{back} ops ended before they began: the clock went backwards", Figures.TIMES)
    early = ops.filter(pl.col("began_ns") < pl.col("intended_ns") - round(EARLY_S * NS)).height
    if early:
        yield Doubt(f"{early} ops began before they were due: the clock went backwards", Figures.TIMES)


def generator(history: History, ops: pl.DataFrame, found: Measurements) -> Iterator[Doubt]:
    """Requests began when they were due: what begins late is answered late, which is not the system's doing."""
    times = found.times
    from_ns = times.baseline_ns if times.baseline_ns is not None else -(2**62)
    to_ns = times.end_ns if times.end_ns is not None else 2**62
    seen = ops.select("intended_ns", "began_ns", "error").filter(pl.col("intended_ns").is_between(from_ns, to_ns))
    late = (seen["began_ns"] - seen["intended_ns"]).to_numpy() / NS
    if late.size:
        p99, worst = float(np.quantile(late, 0.99, method="higher")), float(late.max())
        if p99 > LATE_P99_S or worst > LATE_WORST_S:
            sentence = f"the load generator fell behind: requests began up to {worst:.2f} s late (p99 {p99:.2f} s)"
            yield Doubt(sentence, Figures.TIMES)
    overload = seen.filter(pl.col("error") == "client_overload").height
    if overload:
        yield Doubt(f"the load generator fell behind: it could not send {overload} requests", Figures.TIMES)
    if history.samples is None:
        return
    lags = history.samples.filter(
        (pl.col("metric") == "dispatch_lag_s") & (pl.col("at_ns") >= from_ns) & (pl.col("at_ns") <= to_ns)
    )["value"].to_numpy()
    offsets = history.samples.filter(pl.col("metric") == "clock_offset_s")["value"]
    if unsure := offsets.null_count() + int(offsets.is_nan().sum()):
        yield Doubt(
            f"{unsure} samples of clock_offset_s are not a number: the clocks are not known to agree", Figures.TIMES
        )
    if np.isnan(lags).any():
        yield Doubt(f"{int(np.isnan(lags).sum())} samples of dispatch_lag_s are not a number")
    elif lags.size and float(lags.max()) > LATE_WORST_S:
        yield Doubt(f"the load generator fell behind: dispatch_lag_s reached {float(lags.max()):.2f} s", Figures.TIMES)


def recorded_as_scheduled(history: History, ops: pl.DataFrame, found: Measurements) -> Iterator[Doubt]:
    """Every request of the load's own schedule has a record, and an answer or its deadline."""
    times = found.times
    if times.baseline_ns is None or times.end_ns is None:
        return
    try:
        told = [(s, unrecorded(ops, s, times.baseline_ns, times.end_ns - EDGE_NS)) for s in schedules(history.marks)]
    except ValueError as e:
        yield Doubt(str(e))
        return
    for schedule, missing in told:
        if missing.size:
            at_s = (int(missing[0]) - (times.begin_ns or 0)) / NS
            yield Doubt(
                f"{missing.size} requests of kind {schedule.op} were due and have no record, the first at {at_s:+.1f} s "
                "of the fault: the load generator stalled, or records are lost",
                Figures.TIMES,
            )


def imported_whole(history: History) -> Iterator[Doubt]:
    """The file of another tool holds all that it says was sent."""
    load = imported_load(history.marks)
    for sentence in load.missing if load else ():
        yield Doubt(f"{sentence}: records are lost", Figures.TIMES)


def answered(ops: pl.DataFrame, found: Measurements, objectives: Objectives) -> Iterator[Doubt]:
    """No request was given up before its deadline: nobody can say what would have become of it."""
    times = found.times
    if times.begin_ns is None or times.end_ns is None:
        return
    given_up = ops.filter(
        (pl.col("error") == "stopped")
        & pl.col("intended_ns").is_between(times.begin_ns, times.end_ns)
        & (pl.col("ended_ns") - pl.col("intended_ns") < objectives.deadline_ns)
    ).height
    if given_up:
        yield Doubt(f"{given_up} requests were given up before their deadline when the load ended", Figures.TIMES)


def requested_throughout(history: History, found: Measurements) -> Iterator[Doubt]:
    """The load flows from the baseline to the end, of every kind and cohort that it had, and no less than was meant."""
    times = found.times
    if times.baseline_ns is None or times.begin_ns is None or times.end_ns is None:
        return
    try:
        told = schedules(history.marks)
    except ValueError:
        told = ()  # recorded_as_scheduled says so
    even = EvenTime.of(told, times.baseline_ns, times.begin_ns, times.end_ns)
    baseline_ns, begin_ns, end_ns = even.of_real(np.array([times.baseline_ns, times.begin_ns, times.end_ns]))
    back_ns = _back_ns(found)
    even_back_ns = None if back_ns is None else float(even.of_real(np.array([back_ns]))[0])
    for name, due_ns in _parts(found, times.baseline_ns, times.end_ns):
        due = even.of_real(due_ns)
        sentence = (
            _stopped(name, due, baseline_ns, begin_ns, end_ns, even)
            or _absent(name, due, begin_ns)
            or _less(name, due, baseline_ns, begin_ns, even_back_ns, end_ns, even)
        )
        if sentence:
            yield Doubt(sentence, Figures.TIMES)


def _parts(found: Measurements, from_ns: int, to_ns: int) -> Iterator[tuple[str, Ints]]:
    """The load as a whole, each cohort and each kind of op: when requests were due, sorted."""
    seen = found.flow.between(from_ns, to_ns + 1)
    yield "the load", seen.due_ns
    for cohort in seen.cohorts if len(seen.cohorts) > 1 else ():
        yield f"the load of the cohort {cohort}", seen.due_of(cohort)
    for kind in seen.kinds if len(seen.kinds) > 1 else ():
        yield f"the load of kind {kind}", seen.due_of_kind(kind)


def _stopped(
    name: str, due_ns: Floats, baseline_ns: float, begin_ns: float, end_ns: float, even: EvenTime
) -> str | None:
    if not due_ns.size:
        return f"{name} never flowed between drill.baseline and the end of observation"
    gaps = np.diff(np.concatenate(([baseline_ns], due_ns, [end_ns]))) / NS
    worst = int(np.argmax(gaps))
    usual = float(np.quantile(np.delete(gaps, worst), 0.9, method="higher")) if gaps.size > 2 else math.inf
    before = int(np.searchsorted(due_ns, begin_ns))
    if before and begin_ns > baseline_ns and before / ((begin_ns - baseline_ns) / NS) * gaps[-1] > RANDOM_GAPS:
        worst = gaps.size - 1
    elif gaps[worst] <= max(LEAST_GAP_S, GAPS * usual):
        return None
    from_ns, to_ns = (even.to_real(ns) for ns in np.concatenate(([baseline_ns], due_ns, [end_ns]))[worst : worst + 2])
    at_s = (from_ns - even.to_real(begin_ns)) / NS
    return f"{name} stopped for {(to_ns - from_ns) / NS:.1f} s from {at_s:+.1f} s of the fault on"


def _absent(name: str, due_ns: Floats, begin_ns: float) -> str | None:
    before = int(np.searchsorted(due_ns, begin_ns))
    if before and before == due_ns.size:
        return f"{name} stopped: {before} requests before the fault, none after it"
    return None


def _less(
    name: str,
    due_ns: Floats,
    baseline_ns: float,
    begin_ns: float,
    back_ns: float | None,
    end_ns: float,
    even: EvenTime,
) -> str | None:
    """Whether far fewer requests came in some stretch since the fault than before it, or than were meant to."""
    before = due_ns[: np.searchsorted(due_ns, begin_ns)]
    lasted = (begin_ns - baseline_ns) / NS
    if before.size < 2 or lasted <= 0:
        return None
    rate = before.size / lasted
    gaps = np.diff(before)
    dispersion = min(1.0, max(REGULAR, float(gaps.var() / max(gaps.mean() ** 2, 1e-9)) if gaps.size > 1 else 1.0))
    edges = np.linspace(begin_ns, end_ns, PIECES + 1)
    pairs = [(a, b, SURE) for a, b in itertools.combinations(edges, 2)]
    pairs += [(a, float(end_ns), SURE_WHOLE) for a in (begin_ns, back_ns) if a is not None and a < end_ns]
    from_ns, to_ns, sure = (np.array(column, np.float64) for column in zip(*pairs, strict=True))
    counts = np.searchsorted(due_ns, to_ns) - np.searchsorted(due_ns, from_ns)
    length = (to_ns - from_ns) / NS
    expected = rate * length
    # the rate is itself counted in a time of finite length, and one request more or less is a matter of where it begins
    spread = np.sqrt(expected * dispersion * (1 + length / lasted) + 1)
    z: Floats = (expected - counts) / spread
    short = np.flatnonzero((z > sure) & (counts < LESS * expected))
    if not short.size:
        return None
    worst = int(short[np.argmax((z / sure)[short])])
    real_from_ns, real_to_ns = even.to_real(from_ns[worst]), even.to_real(to_ns[worst])
    at_s = (real_from_ns - even.to_real(begin_ns)) / NS
    return (
        f"{name} became less: {counts[worst]} requests in {(real_to_ns - real_from_ns) / NS:.1f} s from {at_s:+.1f} s "
        f"of the fault on, where {expected[worst]:.0f} were to be expected from the time before"
    )


def _back_ns(found: Measurements) -> int | None:
    value = found["rto_s"].value
    if value is None or math.isinf(value) or found.times.effective_ns is None:
        return None
    return found.times.effective_ns + round(value * NS)
