"""Random histories of each kind that proves nothing, and sound ones beside them, each from a seed.

A sound history has an outage, its recovery, and all the proof there is. Every other kind takes one thing away from it, or
spoils it, so that a pass would be false. What service really did is known to the nanosecond.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS, OPS_SCHEMA, SURVIVORS_SCHEMA, History, Mark, Sample, completed
from drill.objective import Objectives

LIMITS = Objectives(rto_s=10.0, rpo_s=1.0, lag_p99_s=1.0, deadline_s=1.0, settle_s=3.0, window_s=1.0)
PRIMARY, STANDBY = "us-east-1", "us-west-2"
TIMEOUT_S = 3.0
WEIGHTS = {"follower": 0.7, "fresh": 0.1, "sticky": 0.2}
BEAT_S = 0.1

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What chance made of one drill; times in seconds since the start of the baseline."""

    rate: float
    regular: bool
    """Arrivals at equal distances, as a schedule makes them; else at random (Poisson), where there are enough to tell."""
    reads: float
    """Reads for each write."""
    cohorts: tuple[str, ...]
    fault_s: float
    down_s: float
    end_s: float
    strays: float
    """The share of requests that fail by chance."""
    hang: bool
    """Requests of the outage time out instead of being refused."""

    @property
    def back_s(self) -> float:
        """When service is back."""
        return self.fault_s + self.down_s


def drawn(chance: np.random.Generator) -> Drawn:
    """One drill, at least 10 requests a second and at least 100 before the fault."""
    rate = float(chance.choice([10.0, 20.0, 50.0, 200.0]))
    fault_s = float(chance.uniform(12.0, 15.0)) if rate < 50 else float(chance.uniform(5.0, 9.0))
    down_s = float(chance.uniform(max(0.5, 20 / rate), 6.0))
    some = chance.integers(0, 3)
    return Drawn(
        rate=rate,
        regular=rate == 10.0 or bool(chance.random() < 0.7),
        reads=float(chance.choice([0.0, 0.25, 1.0])),
        cohorts=(("follower",), ("follower", "sticky"), tuple(WEIGHTS))[some] if rate >= 50 else ("follower",),
        fault_s=fault_s,
        down_s=down_s,
        end_s=fault_s + down_s + float(chance.uniform(6.0, 10.0)),
        strays=float(chance.choice([0.0, 0.0, 0.001, 0.002])),
        hang=bool(chance.random() < 0.5),
    )


def arrivals(chance: np.random.Generator, one: Drawn, rate: float) -> Floats:
    """When requests are due."""
    if one.regular:
        return np.arange(float(chance.uniform(0, 1 / rate)), one.end_s, 1 / rate)
    gaps = chance.exponential(1 / rate, int(one.end_s * rate * 1.5) + 50)
    due: Floats = np.cumsum(gaps)
    return due[due < one.end_s]


def requests(chance: np.random.Generator, one: Drawn, bad: Callable[[Floats], Bools] | None = None) -> pl.DataFrame:
    """Its ops; `bad` says which of those due are down (default: from the fault until service is back)."""
    frames = []
    weights = np.array([WEIGHTS[c] for c in one.cohorts])
    for op, share in (("write", 1.0), ("read", one.reads)):
        if not share:
            continue
        due = arrivals(chance, one, one.rate * share)
        hit = (due >= one.fault_s) & (due < one.back_s) if bad is None else bad(due)
        stray = chance.random(due.size) < one.strays
        took = chance.lognormal(np.log(0.012), 0.4, due.size)
        hangs = hit & one.hang
        took = np.where(hangs, TIMEOUT_S + 0.01, took)
        due_ns = np.round(due * NS).astype(np.int64)
        failed = hit | stray
        doubtful = "unknown" if op == "write" else "fail"
        columns = {
            "op": op,
            "key": np.arange(due.size) + 1000,
            "cohort": chance.choice(list(one.cohorts), due.size, p=weights / weights.sum()),
            "intended_ns": due_ns,
            "began_ns": due_ns + 100_000,
            "ended_ns": due_ns + np.round(took * NS).astype(np.int64) + 200_000,
            "outcome": np.where(hangs, doubtful, np.where(failed, "fail", "ok")),
            "region": np.where(due < one.fault_s, PRIMARY, STANDBY),
            "status": None,
            "error": None,
        }
        answered = pl.when(outcome="ok").then("region")
        frames.append(completed(pl.DataFrame(columns).with_columns(region=answered), OPS_SCHEMA))
    return pl.concat(frames)


def survivors(ops: pl.DataFrame, at_s: float) -> pl.DataFrame:
    """Everything acknowledged, read at that time."""
    kept = ops.filter((pl.col("outcome") == "ok") & (pl.col("op") == "write"))
    return completed(
        kept.select(store=pl.lit("aurora"), key="key", copies=pl.lit(1), at_ns=pl.lit(round(at_s * NS))),
        SURVIVORS_SCHEMA,
    )


def beats(chance: np.random.Generator, one: Drawn) -> list[Sample]:
    """Heartbeats until the end, with the bounds that a probe gives them half of the time."""
    at = np.arange(0.02, one.end_s, BEAT_S)
    found = [Sample(round(t * NS), "replication_lag_s", "aurora", 0.0) for t in at]
    if chance.random() < 0.5:
        found += [Sample(round(t * NS), "replication_lag_upper_s", "aurora", 0.11) for t in at]
    return found


def marks(one: Drawn) -> tuple[Mark, ...]:
    """What a drill marks, at the least."""
    times = {
        "drill.baseline": 0.0,
        "fault.begin": one.fault_s - 0.001,
        "fault.effective": one.fault_s,
        "promotion.begin": one.fault_s + 0.3 * one.down_s,
        "promotion.end": one.fault_s + 0.8 * one.down_s,
        "drill.end": one.end_s,
    }
    return tuple(Mark(round(at * NS), event) for event, at in times.items())


def whole(chance: np.random.Generator, one: Drawn, ops: pl.DataFrame) -> History:
    """The history of these ops with all the proof."""
    samples = History.of(samples=beats(chance, one)).samples
    return History(ops, marks(one), samples, survivors(ops, one.end_s + TIMEOUT_S + 1))


def sound(seed: int) -> tuple[History, Drawn]:
    """Nothing is missing: MET, unless chance failures alone spoil the baseline."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    return whole(chance, one, requests(chance, one)), one


def blip_before(seed: int) -> History:
    """Requests hang for a while before the mark, and the fault itself hurts nobody."""
    chance = np.random.default_rng(seed)
    one = dataclasses.replace(drawn(chance), hang=True)
    lasts = chance.uniform(max(0.3, 4 / one.rate), 2.5)
    begins = one.fault_s - lasts - chance.uniform(0.0, 1.5)
    ops = requests(chance, one, lambda due: (due >= begins) & (due < begins + lasts))
    return whole(chance, one, ops)


def hang_before(seed: int) -> History:
    """Requests hang from before the mark on until later: what was broken then was not broken by the fault."""
    chance = np.random.default_rng(seed)
    one = dataclasses.replace(drawn(chance), hang=True)
    begins = one.fault_s - chance.uniform(max(0.25, 4 / one.rate), 2.5)
    ops = requests(chance, one, lambda due: (due >= begins) & (due < one.back_s))
    return whole(chance, one, ops)


def kind_vanishes(seed: int) -> History:
    """One kind of op, or one cohort, is not asked for again after the fault, or from some time behind it on."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    one = dataclasses.replace(one, reads=max(one.reads, 0.25))
    ops = requests(chance, one)
    from_ns = round((one.fault_s if chance.random() < 0.5 else chance.uniform(one.fault_s, one.back_s)) * NS)
    if len(one.cohorts) > 1 and chance.random() < 0.5:
        gone = pl.col("cohort") == str(chance.choice(list(one.cohorts)))
    else:
        gone = pl.col("op") == str(chance.choice(["write", "read"]))
    return whole(chance, one, ops.filter(~(gone & (pl.col("intended_ns") >= from_ns))))


def half_lost(seed: int) -> History:
    """From the recovery on half of the records are gone, every second one or at random."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    ops = requests(chance, one).sort("intended_ns")
    late = pl.col("intended_ns") >= round(one.back_s * NS)
    number = np.arange(ops.height) if chance.random() < 0.5 else chance.integers(0, 2, ops.height)
    return whole(chance, one, ops.filter(~late | pl.Series(number % 2 == 0)))


def survivors_early(seed: int) -> History:
    """What survived was read before the last write was acknowledged."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    history = whole(chance, one, requests(chance, one))
    assert history.ops is not None
    acked = history.ops.filter(pl.col("outcome") == "ok", pl.col("op") == "write")["ended_ns"].to_numpy()
    at_s = chance.uniform(one.fault_s, float(acked.max()) / NS - 0.1)
    early = history.ops.filter(pl.col("ended_ns") <= round(at_s * NS))
    return dataclasses.replace(history, survivors=survivors(early if chance.random() < 0.8 else history.ops, at_s))


def probe_stalls(seed: int) -> History:
    """No heartbeat is seen for longer than the limit before the fault: at its beginning, in the middle, or at the end."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    history = whole(chance, one, requests(chance, one))
    lasts = chance.uniform(1.2, one.fault_s)
    begins = float(chance.choice([0.0, chance.uniform(0, one.fault_s - lasts), one.fault_s - lasts]))
    silent = pl.col("at_ns").is_between(round(begins * NS), round((begins + lasts) * NS))
    assert history.samples is not None
    return dataclasses.replace(history, samples=history.samples.filter(~silent))


def cut_short(seed: int) -> History:
    """Service is down to the end of an observation that did not last beyond the limit."""
    chance = np.random.default_rng(seed)
    one = drawn(chance)
    seen = chance.uniform(max(0.5, 20 / one.rate), LIMITS.rto_s - 0.3)
    one = dataclasses.replace(one, down_s=seen + 30, end_s=one.fault_s + seen)
    return whole(chance, one, requests(chance, one))


def staged(seed: int) -> tuple[History, float]:
    """Service is back in two stages: a cohort, a kind of op or a minority of requests only later. (History, RTO.)

    Some request of the second stage fails, else nobody could tell that there was one.
    """
    chance = np.random.default_rng(seed)
    while (found := _staged(chance)) is None:
        continue
    return found


def _staged(chance: np.random.Generator) -> tuple[History, float] | None:
    one = dataclasses.replace(drawn(chance), rate=float(chance.choice([20.0, 50.0, 200.0])), reads=0.1)
    one = dataclasses.replace(one, cohorts=tuple(WEIGHTS), fault_s=float(chance.uniform(5.0, 9.0)))
    first_s, second_s = float(chance.uniform(0.5, 4.0)), float(chance.uniform(0.3, 4.0))
    one = dataclasses.replace(
        one, down_s=first_s, end_s=one.fault_s + first_s + second_s + float(chance.uniform(6, 10))
    )
    ops = requests(chance, one)
    until_s = one.back_s + second_s
    later = pl.col("intended_ns").is_between(round(one.back_s * NS), round(until_s * NS), closed="left")
    who = chance.integers(0, 3)
    if who == 0:
        later &= pl.col("cohort") == str(chance.choice(["sticky", "fresh"]))
    elif who == 1:
        later &= pl.col("op") == "read"
    else:
        later &= pl.Series(chance.random(ops.height) < chance.uniform(0.02, 0.4))
    if ops.filter(later).is_empty():
        return None
    failed = pl.when(later)
    ops = ops.with_columns(
        outcome=failed.then(pl.lit("fail")).otherwise("outcome"),
        region=failed.then(pl.lit(None, pl.String)).otherwise("region"),
    )
    return whole(chance, one, ops), until_s - one.fault_s


UNPROVEN_KINDS: dict[str, Callable[[int], History]] = {
    "a blip before the mark": blip_before,
    "a hang begun before the mark": hang_before,
    "a kind or cohort that vanishes": kind_vanishes,
    "half the records gone after recovery": half_lost,
    "survivors read too early": survivors_early,
    "a lag probe that stalls": probe_stalls,
    "a cut observation": cut_short,
}
