"""Tables of any tool: by the names of their columns, and ops.parquet of this harness as it is."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drill.evidence import judge
from drill.history import NS, OPS_SCHEMA, History, Op, Outcome
from drill.objective import Verdict
from drill.unusable import UnusableInput
from tests.drill.imports.judged import DATA, OBJECTIVES, Truth, imported, judged

T0 = 1_795_000_000 * NS
MAPPED = ("--column", "began=start", "--column", "ended=finish", "--column", "status=code", "--column", "method=verb")
OPS = st.builds(
    Op,
    op=st.sampled_from(["read", "write", "put_object"]),
    key=st.integers(0, 2**40),
    cohort=st.sampled_from(["mobile", "web"]),
    intended_ns=st.integers(0, 10**12),
    began_ns=st.integers(0, 10**12),
    ended_ns=st.integers(0, 10**12),
    outcome=st.sampled_from(list(Outcome)),
    region=st.none() | st.just("us-east-1"),
    status=st.none() | st.integers(100, 599),
    error=st.none() | st.just("timeout"),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=st.lists(OPS, min_size=1, max_size=20))
def test_our_own_records_come_back_unchanged(ops: list[Op], tmp_path: Path) -> None:
    """But for the second from which times count."""
    whole = History.of(ops=ops).ops
    assert whole is not None
    whole.write_parquet(tmp_path / "ops.parquet")
    bundle = imported(tmp_path / "ops.parquet", "--t0", "2026-11-27T10:00:00.000Z")
    found = bundle.history.ops
    assert found is not None
    assert found.schema == OPS_SCHEMA
    times = [c for c in OPS_SCHEMA if c.endswith("_ns")]
    moved = int(whole["intended_ns"][0]) - int(found["intended_ns"][0])
    assert 0 <= moved <= 10**12
    assert moved % NS == 0
    assert found.equals(whole.with_columns(pl.col(c) - moved for c in times))
    assert bundle.record["load"].intended


def test_our_own_records_need_their_t0(tmp_path: Path) -> None:
    """They count from it, and do not hold it."""
    ops = History.of(ops=[Op("read", 1, "web", 5, 5, 9, Outcome.OK)]).ops
    assert ops is not None
    ops.write_parquet(tmp_path / "ops.parquet")
    with pytest.raises(UnusableInput, match="give it with --t0"):
        imported(tmp_path / "ops.parquet")


@pytest.mark.parametrize("parquet", [True, False])
def test_a_table_says_what_the_tools_own_file_says(parquet: bool, tmp_path: Path) -> None:
    """The requests of a vegeta file in a table of milliseconds are judged to the same truth."""
    name = "vegeta.csv"
    bundle = imported(DATA / f"{name}.gz", *Truth.of(name).marks)
    own, begin = bundle.history.ops, bundle.history.first_mark("fault.begin")
    assert own is not None
    assert begin is not None
    shift = round(Truth.of(name).down_ms[0] * 1000) * 1000 - begin.at_ns
    table = own.select(
        start=(pl.col("began_ns") + shift) // 10**6,
        finish=(pl.col("ended_ns") + shift) // 10**6,
        code=pl.col("status").fill_null(0),
        verb=pl.lit("GET"),
    )
    path = tmp_path / f"table.{'parquet' if parquet else 'csv'}"
    if parquet:
        table.with_columns(pl.col("start", "finish").cast(pl.Datetime("ms"))).write_parquet(path)
    else:
        table.write_csv(path)
    found = judged(path, *MAPPED, "--unit", "ms", *Truth.of(name).marks, "--only-rto")
    truth, rto = Truth.of(name), found.measurements["rto_s"]
    assert rto.lower is not None
    assert rto.upper is not None
    assert rto.lower <= truth.rto_s[1]
    assert truth.rto_s[0] <= rto.upper
    assert found.verdict is Verdict.MET, found.reasons
    assert "closed loop omits" in rto.measurement.basis


def test_a_table_that_knows_when_requests_were_due_is_judged_by_that(tmp_path: Path) -> None:
    """And keeps its own keys, kinds and cohorts; times beyond a float's digits stay exact."""
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["due", "start", "took", "good", "kind", "id", "who"])
        for i in range(3):
            writer.writerow([T0 + i, T0 + i + 5, 1_000_001, "true", "write", 7 + i, "web"])
    words = ["intended=due", "began=start", "duration=took", "ok=good", "op=kind", "key=id", "cohort=who"]
    bundle = imported(path, *(w for word in words for w in ("--column", word)))
    ops = bundle.history.ops
    assert ops is not None
    assert ops.select("op", "key", "cohort", "intended_ns", "began_ns", "ended_ns", "outcome").rows() == [
        ("write", 7 + i, "web", i, i + 5, i + 1_000_006, "ok") for i in range(3)
    ]
    assert bundle.record["load"].intended
    assert bundle.record["load"].basis == "requests by intended start"
    assert judge(bundle.history, OBJECTIVES).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("row", "words", "sentence"),
    [
        ("1,2,200,GET", ("--column", "began=start"), "say which columns hold what"),
        ("1,2,200,GET", (*MAPPED, "--column", "name=path"), "has no column path"),
        ("x,2,200,GET", MAPPED, "line 2 has a value that is no number"),
        ("1e9,2,200,GET", MAPPED, "line 2 has a value that is no number"),
        ("5,2,200,GET", MAPPED, "line 2 has a request from 5 to 2 ns"),
        ("5,2,200", MAPPED, "line 2 has 3 fields"),
    ],
)
def test_a_table_that_says_too_little_is_refused(
    row: str, words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    """By line or column."""
    path = tmp_path / "t.csv"
    path.write_text(f"start,finish,code,verb\n{row}\n")
    with pytest.raises(UnusableInput, match=sentence):
        imported(path, "--format", "table", *words)
