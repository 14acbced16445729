"""Judging at scale: judge() on 50 thousand, 500 thousand and 5 million ops, seconds, memory, and whether it is linear.

Generated histories with a known truth (how many acknowledged writes are lost, how many survivors nobody sent, when
service came back for good), twice as many survivor keys as ops, saved as a drill saves them: orders, receipts and reads
of three cohorts in the order of their answers, several outages, chance failures all through. Each repetition loads and
judges in a fresh process, which also takes the plain difference of two Python sets: the least that finding lost writes
costs.
"""

from __future__ import annotations

import gc
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import polars as pl

from benchmarks.measuring.child_process import READY, child_process, receive
from benchmarks.measuring.figure import Failed, Figure
from drill.history import NS, OPS_SCHEMA, SAMPLES_SCHEMA, SURVIVORS_SCHEMA, History, Mark, completed

SIZES = (50_000, 500_000, 5_000_000)
REPETITIONS = 3
KEYS_AN_OP = 2
RATE = 20_000
"""Ops a second of the generated load; the longest history lasts some minutes."""
LOST = 37
OUTAGE_S = 0.1
FLAPS = 4
FLAP_EVERY_S = 0.25
STRAYS = 0.002
LIMIT_S = 6.0
LIMIT_MIB = 3 * 1024
"""What loading and judging five million ops and ten million keys may take at best, on two cores."""
LINEAR = 1.3
PAUSE_LIMIT_S = 300.0
FIRST_KEY = 1 << 40


class Result(msgspec.Struct, frozen=True):
    """One repetition: seconds to load and to judge, CPU of judging, greatest memory in MiB, the sets' seconds, findings."""

    load_s: float
    judge_s: float
    cpu_s: float
    peak_mib: float
    sets_s: float
    sets_lost: int
    lost: float | None
    phantoms: float | None
    rto_s: float | None


@dataclass(frozen=True, slots=True)
class Truth:
    """What was generated."""

    ops: int
    lost: int
    phantoms: int
    rto_s: float


def measure() -> Iterator[Figure]:
    """Seconds and memory at each size, linearity, and the ratio to plain Python sets."""
    least: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-judging-") as name:
        for size in SIZES:
            directory = Path(name) / str(size)
            truth = _generate(directory, size)
            results = [_judged(directory) for _ in range(REPETITIONS)]
            for result in results:
                _check(result, truth, size)
            seconds = [r.judge_s for r in results]
            least[size] = min(r.cpu_s for r in results)
            what = f"{size:,} ops, {size * KEYS_AN_OP:,} keys"
            note = f"loading the records {median(r.load_s for r in results):.2f} s more"
            yield Figure.of(f"judge {what}", seconds, "s", note)
            yield Figure.of(f"CPU of judging {what}", [r.cpu_s for r in results], "s", "on all cores together")
            yield Figure.of(f"peak memory, {what}", [r.peak_mib for r in results], "MiB", "load and judge")
            note = f"the sets' difference takes {median(r.sets_s for r in results):.2f} s and finds lost orders alone"
            yield Figure.of(f"judge / Python sets, {what}", [r.judge_s / r.sets_s for r in results], "x", note)
            if size == SIZES[-1] and min(r.load_s + r.judge_s for r in results) > LIMIT_S:
                raise Failed(f"loading and judging {what} takes more than {LIMIT_S:g} s")
            if size == SIZES[-1] and max(r.peak_mib for r in results) > LIMIT_MIB:
                raise Failed(f"judging {what} takes more than {LIMIT_MIB} MiB")
    for small, large in itertools.pairwise(SIZES):
        slope = least[large] / least[small] / (large / small)
        yield Figure(f"CPU an op, {large:,} / {small:,} ops", slope, "x", "1 is linear; of the least of each")
        if slope > LINEAR:
            raise Failed(f"judging {large:,} ops takes {slope:.2f} times the CPU an op of judging {small:,}")


def _judged(directory: Path) -> Result:
    with child_process(_judge, directory) as judging:
        found = receive(judging, what="judging", limit_s=PAUSE_LIMIT_S)
    assert isinstance(found, Result)
    return found


def _judge(parent: Connection, directory: Path) -> None:
    """Load, judge, then the plain sets; in a process of its own, whose peak memory is that of load and judge."""
    from drill.evidence import judge
    from drill.objective import Objectives

    parent.send(READY)
    began = time.perf_counter()
    history = History.load(directory)
    loaded, used = time.perf_counter(), time.process_time()
    judgement = judge(history, Objectives(rto_s=30.0, deadline_s=1.0, window_s=1.0, settle_s=0.2))
    judged, used = time.perf_counter(), time.process_time() - used
    peak_mib = _peak_mib()
    figures = {n: j.value for n, j in judgement.measurements.items()}
    sets_s, sets_lost = _sets(history)
    parent.send(
        Result(
            loaded - began,
            judged - loaded,
            used,
            peak_mib,
            sets_s,
            sets_lost,
            figures["lost_writes"],
            figures["phantom_writes"],
            figures["rto_s"],
        )
    )
    threading.Event().wait()


def _sets(history: History) -> tuple[float, int]:
    """Acknowledged keys minus surviving keys, as anybody would write it."""
    assert history.ops is not None
    assert history.survivors is not None
    acked = history.ops.filter((pl.col("op") == "write") & (pl.col("outcome") == "ok"))["key"].to_list()
    kept = history.survivors.filter(pl.col("store") == "aurora")["key"].to_list()
    gc.disable()
    began = time.perf_counter()
    lost = set(acked) - set(kept)
    return time.perf_counter() - began, len(lost)


def _check(result: Result, truth: Truth, size: int) -> None:
    """A fast judgement that is wrong is worth nothing."""
    if result.lost != truth.lost or result.sets_lost != truth.lost or result.phantoms != truth.phantoms:
        raise Failed(
            f"of {size:,} ops, {truth.lost} lost and {truth.phantoms} phantom writes were generated; judge found "
            f"{result.lost} and {result.phantoms}, the sets {result.sets_lost}"
        )
    if result.rto_s is None or abs(result.rto_s - truth.rto_s) > 0.01:
        raise Failed(f"service was back {truth.rto_s} s after the fault; judge found {result.rto_s}")


def _generate(directory: Path, size: int) -> Truth:
    """Save a history of about `size` ops, as a drill's recorder does: in the order of the answers.

    Eleven requests are ten orders, one of them with a receipt, and a read. The fault comes at half time; FLAPS outages
    follow, and STRAYS of all other requests fail by chance. The last LOST orders before the fault are lost.
    """
    chance = np.random.default_rng(1)
    requests = size * 11 // 12
    number = np.arange(requests, dtype=np.int64)
    due = number * (NS // RATE)
    fault = int(due[requests // 2])
    starts = [fault + round(i * FLAP_EVERY_S * NS) for i in range(FLAPS)]
    down = np.zeros(requests, np.bool_)
    for start in starts:
        down |= (due >= start) & (due < start + round(OUTAGE_S * NS))
    edges = np.abs(due - (starts[-1] + round(OUTAGE_S * NS))) < NS // 100  # luck there would blur the truth
    failed = down | ((chance.random(requests) < STRAYS) & ~edges)
    took = chance.integers(2_000_000, 9_000_000, requests)
    ended = np.where(due < fault, np.minimum(due + took, fault), due + took)
    reads = number % 11 == 10
    keys = FIRST_KEY + number - number // 11
    sent = pl.DataFrame(
        {
            "op": pl.Series(np.where(reads, 1, 0)).replace_strict({0: "write", 1: "read"}),
            "key": np.where(reads, keys - 2_000, keys),
            "cohort": chance.choice(["follower", "fresh", "sticky"], requests, p=[0.7, 0.1, 0.2]),
            "intended_ns": due,
            "began_ns": np.minimum(due + chance.integers(0, 900_000, requests), np.where(due < fault, fault, ended)),
            "ended_ns": ended,
            "outcome": np.where(failed, "fail", "ok"),
            "region": np.where(due < fault, "us-east-1", "us-west-2"),
            "status": np.where(failed, 503, 201),
            "error": pl.select(pl.when(pl.Series(failed)).then(pl.lit("refused"))).to_series(),
        }
    )
    receipts = sent.filter((pl.col("op") == "write") & (pl.col("key") % 10 == 0)).with_columns(op=pl.lit("put_object"))
    ops = completed(pl.concat([sent, receipts]), OPS_SCHEMA).sort("ended_ns", maintain_order=True)
    acked = keys[~reads & ~failed]
    before = int(np.count_nonzero(~reads & ~failed & (due < fault)))
    rows = np.concatenate([acked[: before - LOST], acked[before:]])
    objects = acked[acked % 10 == 0]
    last = int(keys[-1]) + 1
    strangers = np.arange(size * KEYS_AN_OP - rows.size - objects.size, dtype=np.int64) + last
    stored = np.concatenate([rows, strangers, objects])
    end = int(due[-1])
    survivors = pl.DataFrame(
        {
            "store": np.repeat(["aurora", "s3"], [rows.size + strangers.size, objects.size]),
            "key": stored,
            "copies": np.ones(stored.size, np.int32),
            "at_ns": np.full(stored.size, end + NS, np.int64),
        }
    )
    beats = np.arange(0, end, NS // 10, dtype=np.int64)
    samples = pl.DataFrame(
        {
            "at_ns": np.tile(beats, 2),
            "metric": np.repeat(["replication_lag_s", "dispatch_lag_s"], beats.size),
            "subject": np.repeat(["aurora", "locust-0"], beats.size),
            "value": np.full(2 * beats.size, 0.002),
        }
    ).cast(dict(SAMPLES_SCHEMA))  # type: ignore[arg-type]
    marks = (
        Mark(0, "drill.baseline", "traffic"),
        Mark(fault - 1, "fault.begin", "us-east-1", "region_lost"),
        Mark(fault, "fault.effective", "us-east-1", "region_lost"),
        Mark(end, "drill.end", "traffic"),
    )
    History(ops, marks, samples, completed(survivors, SURVIVORS_SCHEMA)).save(directory)
    return Truth(ops.height, LOST, int(strangers.size), (starts[-1] - fault) / NS + OUTAGE_S)


def _peak_mib() -> float:
    """This process's greatest resident memory; getrusage would tell that of the process that started it, if greater."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise Failed("/proc/self/status tells no VmHWM: memory can only be measured on Linux")
