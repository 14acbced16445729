"""Histories that look like a pass and are none: each must come out MISSED or UNPROVEN, and say why."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from drill.__main__ import main
from drill.evidence import judge
from drill.history import NS, OPS_SCHEMA, SAMPLES_SCHEMA, SURVIVORS_SCHEMA, History, Mark, Sample, Survivor
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of, without

MET, MISSED, UNPROVEN = Verdict.MET, Verdict.MISSED, Verdict.UNPROVEN


def changed(where: pl.Expr, **columns: pl.Expr) -> History:
    """The plain history with some columns of some ops changed."""
    whole = history()
    assert whole.ops is not None
    ops = whole.ops.with_columns(**{c: pl.when(where).then(e).otherwise(pl.col(c)) for c, e in columns.items()})
    return altered(whole, ops=ops.cast(OPS_SCHEMA))


def only(where: pl.Expr, cohorts: tuple[str, ...] = ("follower",)) -> History:
    """The plain history with some of its ops only."""
    whole = history(cohorts=cohorts)
    assert whole.ops is not None
    return altered(whole, ops=whole.ops.filter(where))


def kept(where: pl.Expr, times: int = 1) -> History:
    """The plain history with some of its survivors only, each recorded so many times."""
    whole = history()
    assert whole.survivors is not None
    return altered(whole, survivors=pl.concat([whole.survivors.filter(where)] * times))


def survived(**columns: pl.Expr) -> History:
    """The plain history with some columns of its survivors changed."""
    whole = history()
    assert whole.survivors is not None
    return altered(whole, survivors=whole.survivors.with_columns(**columns).cast(SURVIVORS_SCHEMA))


def marked(*marks: Mark, instead_of: str = "") -> History:
    """The plain history with further marks, those of one event replaced."""
    bare = without(history(), instead_of)
    return altered(bare, marks=(*(bare.marks or ()), *marks))


def sampled(*samples: Sample) -> History:
    """The plain history with further samples."""
    return altered(history(), samples=History.of(samples=[*samples_of(Script()), *samples]).samples)


def plus_failing(kind: str) -> pl.DataFrame:
    """The plain history's ops and one more in a second of that kind, which all fail from the fault on."""
    ops = history().ops
    assert ops is not None
    more = ops.filter((pl.col("key") % 50 == 0) & (pl.col("op") != "put_object"))
    outcome = pl.when(pl.col("intended_ns") >= 8 * NS).then(pl.lit("fail")).otherwise(pl.lit("ok"))
    times = pl.col("intended_ns", "began_ns", "ended_ns") + 1
    return pl.concat([ops, more.with_columns(times, op=pl.lit(kind), outcome=outcome)])


EMPTY = History(
    pl.DataFrame(schema=OPS_SCHEMA), (), pl.DataFrame(schema=SAMPLES_SCHEMA), pl.DataFrame(schema=SURVIVORS_SCHEMA)
)
DUE, ENDED, OP = pl.col("intended_ns"), pl.col("ended_ns"), pl.col("op")
EARLY = DUE < 8 * NS

HISTORIES: dict[str, tuple[Callable[[], History], Verdict, str]] = {
    "nothing at all": (History, UNPROVEN, "ops.parquet is missing"),
    "all of it empty": (lambda: EMPTY, UNPROVEN, "no fault"),
    "no fault mark": (lambda: without(history(), "fault.begin", "fault.effective"), UNPROVEN, "there is no fault"),
    "a fault that never took effect": (lambda: without(history(), "fault.effective"), UNPROVEN, "fault.effective"),
    "a fault of which a part did not take place": (
        lambda: marked(Mark(12 * NS, "fault.incomplete", "EXP1/isolate", "is skipped")),
        UNPROVEN,
        "part of the fault did not take place: EXP1/isolate is skipped",
    ),
    "a fault that nobody felt": (lambda: history(down_s=0.0), UNPROVEN, "nobody felt"),
    "load that stopped just before the fault": (lambda: only(DUE < 7.9 * NS), UNPROVEN, "the load stopped"),
    "load that stopped just before the end": (lambda: only(DUE < 17 * NS), UNPROVEN, "the load stopped"),
    "load that paused while service came back": (
        lambda: only((DUE < 8.2 * NS) | (DUE > 15 * NS)),
        UNPROVEN,
        "the load stopped",
    ),
    "one cohort's load stopped": (
        lambda: only((pl.col("cohort") == "follower") | (DUE < 7 * NS), ("follower", "sticky")),
        UNPROVEN,
        "cohort sticky stopped",
    ),
    "no baseline mark": (lambda: without(history(), "drill.baseline"), UNPROVEN, "no steady state"),
    "a baseline of four requests": (
        lambda: marked(Mark(int(7.93 * NS), "drill.baseline"), instead_of="drill.baseline"),
        UNPROVEN,
        "no steady state",
    ),
    "a baseline that was down already": (
        lambda: changed(DUE.is_between(7 * NS, 8 * NS), outcome=pl.lit("fail")),
        UNPROVEN,
        "no steady state",
    ),
    "survivors missing": (lambda: altered(history(), survivors=None), UNPROVEN, "survivors.parquet is missing"),
    "survivors empty": (
        lambda: altered(history(), survivors=pl.DataFrame(schema=SURVIVORS_SCHEMA)),
        MISSED,
        "no key of aurora survived",
    ),
    "one store unread": (lambda: kept(pl.col("store") == "aurora"), MISSED, "no key of s3 survived"),
    "survivors read before the fault": (
        lambda: altered(history(), survivors=History.of(survivors=[Survivor("aurora", 1000, 1, NS)]).survivors),
        UNPROVEN,
        "read before the fault",
    ),
    "survivors read after the fault was healed": (
        lambda: survived(at_ns=pl.lit(40 * NS)),
        UNPROVEN,
        "after the fault was healed",
    ),
    "acknowledged writes of a kind that nobody reads back": (
        lambda: changed(OP == "put_object", op=pl.lit("put_receipt")),
        UNPROVEN,
        "put_receipt: they belong to no store",
    ),
    "survivors of a region while nobody says which one serves": (
        lambda: altered(
            changed(DUE >= 8 * NS, region=pl.lit(None)), survivors=survived(region=pl.lit("us-east-1")).survivors
        ),
        UNPROVEN,
        "says which region serves",
    ),
    "a clock that nobody measured": (
        lambda: sampled(Sample(9 * NS, "clock_offset_s", "locust-1", math.nan)),
        UNPROVEN,
        "clock_offset_s are not a number",
    ),
    "a kind of op that is never served again": (
        lambda: altered(history(), ops=plus_failing("list")),
        MISSED,
        "rto_list_s never",
    ),
    "survivors reported unread": (lambda: marked(Mark(21 * NS, "survivors.unread", "us-west-2")), UNPROVEN, "not read"),
    "samples missing": (lambda: altered(history(), samples=None), UNPROVEN, "samples.parquet is missing"),
    "marks missing": (lambda: altered(history(), marks=None), UNPROVEN, "marks.jsonl is missing"),
    "ops missing": (lambda: altered(history(), ops=None), UNPROVEN, "ops.parquet is missing"),
    "a generator five seconds behind": (
        lambda: changed(DUE > 9 * NS, began_ns=DUE + 5 * NS, ended_ns=DUE + 5 * NS + 1000),
        UNPROVEN,
        "fell behind",
    ),
    "a generator that says it was behind": (
        lambda: sampled(Sample(9 * NS, "dispatch_lag_s", "locust-0", 5.0)),
        UNPROVEN,
        "fell behind",
    ),
    "a generator that could not send": (
        lambda: changed(DUE.is_between(9 * NS, 9.1 * NS), outcome=pl.lit("fail"), error=pl.lit("client_overload")),
        UNPROVEN,
        "could not send",
    ),
    "never recovered": (lambda: history(down_s=12.0), MISSED, "never recovered"),
    "recovered, then down again at the end": (lambda: history(flaps=((18.0, 20.0),)), MISSED, "never recovered"),
    "recovered, then two failures at the end": (
        lambda: history(strays=(998, 999)),
        UNPROVEN,
        "failed again",
    ),
    "all writes in doubt": (
        lambda: changed(OP != "read", outcome=pl.lit("unknown")),
        MISSED,
        "nothing was acknowledged",
    ),
    "writes in doubt until the fault": (
        lambda: changed((OP != "read") & EARLY, outcome=pl.lit("unknown")),
        UNPROVEN,
        "nothing was acknowledged",
    ),
    "acknowledged after the fault and lost": (lambda: kept(pl.col("key") < 1990), MISSED, "lost_after_fault"),
    "a clock that went backwards in an op": (
        lambda: changed(pl.col("key") == 1100, ended_ns=DUE - NS),
        UNPROVEN,
        "clock went backwards",
    ),
    "ops that began before they were due": (
        lambda: changed(pl.col("key") == 1100, began_ns=DUE - NS),
        UNPROVEN,
        "clock went backwards",
    ),
    "a fault that took effect before it began": (
        lambda: marked(Mark(7 * NS, "fault.effective"), instead_of="fault.effective"),
        UNPROVEN,
        "clock went backwards",
    ),
    "a key acknowledged twice": (
        lambda: changed((OP == "write") & (pl.col("key") == 1001), key=pl.lit(1000)),
        UNPROVEN,
        "acknowledged already",
    ),
    "a key found twice": (lambda: kept(pl.lit(True), times=2), MISSED, "duplicates"),
    "NaN among the heartbeats": (
        lambda: sampled(Sample(NS, "replication_lag_s", "aurora", math.nan)),
        UNPROVEN,
        "not a number",
    ),
    "NaN in the dispatch lag": (
        lambda: sampled(Sample(NS, "dispatch_lag_s", "locust-0", math.nan)),
        UNPROVEN,
        "not a number",
    ),
    "an endless heartbeat": (
        lambda: sampled(Sample(NS, "replication_lag_s", "aurora", math.inf)),
        MISSED,
        "lag_p99_s never",
    ),
    "a negative heartbeat": (
        lambda: sampled(Sample(NS, "replication_lag_s", "aurora", -1.0)),
        UNPROVEN,
        "is negative",
    ),
    "survivors without their keys": (lambda: survived(key=pl.lit(None)), MISSED, "rows have no key"),
    "survivors without a time": (lambda: survived(at_ns=pl.lit(None)), UNPROVEN, "rows have no at_ns"),
    "survivors of no copy": (lambda: survived(copies=pl.lit(0)), MISSED, "no key of aurora survived"),
    "survivors of fewer copies than none": (lambda: survived(copies=pl.lit(-1)), MISSED, "no key of aurora survived"),
    "survivors in a store that nobody knows": (lambda: survived(store=pl.lit("mars")), MISSED, "no key of aurora"),
    "survivors of other keys": (lambda: survived(key=pl.col("key") + 10**9), MISSED, "sent by nobody"),
    "survivors of one key a million times": (
        lambda: survived(copies=pl.when(pl.col("key") == 1000).then(1_000_000).otherwise(1)),
        MISSED,
        "duplicates 1999998 exceeds",
    ),
    "a region that nobody knows": (
        lambda: changed(pl.col("key") == 1900, region=pl.lit("eu-nowhere-9")),
        UNPROVEN,
        "eu-nowhere-9",
    ),
    "an outcome that nobody knows": (
        lambda: changed(pl.col("key") == 1900, outcome=pl.lit("maybe")),
        UNPROVEN,
        "an outcome",
    ),
    "ops without a time": (lambda: changed(pl.col("key") == 1900, ended_ns=pl.lit(None)), UNPROVEN, "have no ended_ns"),
    "a probe that died": (lambda: marked(Mark(9 * NS, "probe.died", "dns_answer", "OSError")), UNPROVEN, "dns_answer"),
    "an observation that never ended": (
        lambda: without(history(), "drill.end", "fault.healed"),
        UNPROVEN,
        "did not end",
    ),
}


def test_the_plain_history_passes() -> None:
    """Without any of the defects below, the same history is MET: they alone make the difference."""
    found = judge(history(), LIMITS)
    assert found.verdict is MET
    assert found.reasons == ()


@pytest.mark.parametrize("name", HISTORIES)
def test_does_not_pass(name: str) -> None:
    """The verdict is as bad as it must be, and the sentence names the defect."""
    build, verdict, said = HISTORIES[name]
    found = judge(build(), LIMITS)
    assert found.verdict is verdict, found.sentence()
    assert said in found.sentence()


@pytest.mark.parametrize("name", HISTORIES)
def test_does_not_pass_from_disk_either(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m drill judge` of the saved records says the same, with exit status 1 (2 where there are none)."""
    build, verdict, said = HISTORIES[name]
    build().save(tmp_path)
    tables = "".join(f"{k} = {v}\n" for k, v in dataclasses.asdict(LIMITS).items() if v is not None)
    (tmp_path / "limits.toml").write_text(f"[default]\n{tables}")
    status = main(["judge", str(tmp_path), "--objectives", str(tmp_path / "limits.toml"), "--json"])
    out = capsys.readouterr().out
    if name == "nothing at all":
        assert (status, out) == (2, "")
        return
    found = json.loads(out)
    assert (status, found["verdict"]) == (1, str(verdict))
    assert said in "; ".join(found["reasons"])


@pytest.mark.parametrize("name", ["ops.parquet", "survivors.parquet", "samples.parquet"])
def test_a_truncated_parquet_file_is_never_judged(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However little is missing, and however much: exit status 2 and one line that names the file."""
    history().save(tmp_path)
    path = tmp_path / name
    whole = path.read_bytes()
    for left in (0, 1, 4, 100, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:left])
        assert main(["judge", str(tmp_path)]) == 2, left
        said = capsys.readouterr()
        assert name in said.err
        assert len(said.err.splitlines()) == 1
        assert said.out == ""


def test_a_measure_that_crashes_is_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of a checker is told as such and is never a pass."""

    def broken(*_: object) -> float:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("drill.measure.lag", broken)
    found = judge(history(), LIMITS)
    assert found.verdict is UNPROVEN
    assert "the measure of lag crashed (ZeroDivisionError: a defect)" in found.sentence()
    assert found.measurements["lag_p99_s"].value is None
