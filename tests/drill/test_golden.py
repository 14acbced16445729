"""A bundle that was stored by an earlier harness is judged as it was then, and records of other harnesses stay readable."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl
import pytest

from drill.columns import schema_of
from drill.evidence import JUDGE_VERSION
from drill.history import OPS_SCHEMA, SAMPLES_SCHEMA, SURVIVORS_SCHEMA, History, Mark
from drill.parquet_file import read_columns
from drill.records import LATER, Op, Sample, Survivor, later
from drill.stored import Stored
from drill.unusable import UnusableInput

GOLDEN = Path(__file__).parent / "golden" / "database_primary_lost"
NOT_JUDGED = {"pace"}
"""What run.json alone says, which is not among the records kept here."""
FIRST = {
    Op: "op key cohort intended_ns began_ns ended_ns outcome region status error",
    Sample: "at_ns metric subject value",
    Survivor: "store key copies at_ns",
}
"""The columns that the records have had from the first: programs outside this repository read them."""


def differences(kept: Any, found: Any, where: str = "") -> Iterator[str]:
    """Every field of the kept verdict that is another now, by its path."""
    if isinstance(kept, dict) and isinstance(found, dict):
        for key in kept.keys() - NOT_JUDGED:
            yield from differences(kept[key], found.get(key, "missing"), f"{where}/{key}")
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for number, (one, other) in enumerate(zip(kept, found, strict=True)):
            yield from differences(one, other, f"{where}/{number}")
    elif isinstance(kept, float) and isinstance(found, float):
        if not math.isclose(kept, found, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{where}: {kept} is {found} now"
    elif kept != found:
        yield f"{where}: {kept!r} is {found!r} now"


def test_a_stored_bundle_is_judged_as_it_was() -> None:
    """Every figure, bound, sentence and phase; a change that is meant raises JUDGE_VERSION (golden/README.md)."""
    kept = json.loads((GOLDEN / "verdict.json").read_text())
    stored = Stored(GOLDEN, {})
    found = json.loads(msgspec.json.encode(stored.verdict_json(stored.judge())))
    assert found["judge_version"] == JUDGE_VERSION == kept.get("judge_version", 1)
    assert not sorted(differences(kept, found))
    assert found["measurements"].keys() == kept["measurements"].keys()
    assert found["measurements"]["rto_s"]["value"] == pytest.approx(7.5067, abs=1e-4), "a real failover is in it"


def test_the_comparison_sees_a_difference() -> None:
    """A figure, a sentence, a list and a field that went are each named."""
    kept = {"a": [1.0, {"b": "x"}], "c": None, "pace": 10}
    assert list(differences(kept, {"a": [1.0 + 1e-12, {"b": "x"}], "c": None})) == []
    assert list(differences(kept, {"a": [1.1, {"b": "x"}], "c": None})) == ["/a/0: 1.0 is 1.1 now"]
    assert len(list(differences(kept, {"a": [1.0], "c": 0}))) == 2


@pytest.mark.parametrize("record", FIRST)
def test_a_column_of_the_first_is_demanded_and_any_other_may_be_null(record: type[msgspec.Struct]) -> None:
    """The first columns are those of the contract; whatever was added since has a default and is marked as later."""
    first = FIRST[record].split()
    assert list(schema_of(record))[: len(first)] == first
    assert later(record) == set(schema_of(record)) - set(first)
    defaults = {f.encode_name: f.default for f in msgspec.structs.fields(record)}
    assert all(defaults[name] is None for name in later(record))


def test_columns_have_the_contracts_types() -> None:
    """As docs and other programs have them: 64 bits but for status and copies, words for outcomes."""
    assert {n: k for n, k in OPS_SCHEMA.items() if k not in (pl.String, pl.Int64)} == {"status": pl.Int16}
    assert {n: k for n, k in SURVIVORS_SCHEMA.items() if k not in (pl.String, pl.Int64)} == {"copies": pl.Int32}
    assert OPS_SCHEMA["outcome"] == pl.String
    assert SAMPLES_SCHEMA["value"] == pl.Float64


class Grown(Op, frozen=True):
    """An op of a later harness."""

    attempt: Annotated[int | None, LATER] = None


def test_records_grow_without_breaking(tmp_path: Path) -> None:
    """A column that an older file lacks is null, one that only a newer file has is not read, a first one is demanded."""
    path = tmp_path / "ops.parquet"
    op = {"op": "write", "key": 1, "cohort": "a", "intended_ns": 0, "began_ns": 0, "ended_ns": 1, "outcome": "ok"}
    old = pl.DataFrame([{**op, "region": "us-east-1", "status": 201, "error": None}])
    old.write_parquet(path)
    read = read_columns(path, schema_of(Grown), later(Grown))
    assert read is not None
    assert read.select("store", "content", "attempt").row(0) == (None, None, None)
    assert read.schema == schema_of(Grown)
    old.with_columns(attempt=pl.lit(2), store=pl.lit("aurora"), content=pl.lit(5)).write_parquet(path)
    assert History.load(tmp_path).ops is not None
    assert History.load(tmp_path).ops.columns == list(OPS_SCHEMA)  # type: ignore[union-attr]
    old.drop("region").write_parquet(path)
    with pytest.raises(UnusableInput, match="the column region is missing"):
        History.load(tmp_path)


def test_a_mark_of_a_later_harness_is_read(tmp_path: Path) -> None:
    """A field that this harness does not know is left out."""
    (tmp_path / "marks.jsonl").write_text('{"at_ns":5,"event":"fault.begin","subject":"a","severity":3}\n')
    assert History.load(tmp_path).marks == (Mark(5, "fault.begin", "a"),)


def test_a_bundle_without_the_later_columns_is_judged(tmp_path: Path) -> None:
    """The stored bundle as the first harness would have written it: contents are unknown, recovery and loss as before."""
    bundle = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    for name, record in (("ops", Op), ("survivors", Survivor)):
        frame = pl.read_parquet(bundle / f"{name}.parquet")
        frame.drop(later(record)).write_parquet(bundle / f"{name}.parquet")
    before, after = Stored(GOLDEN, {}).judge(), Stored(bundle, {}).judge()
    for figure in ("rto_s", "rpo_s", "lost_writes", "downtime_s", "acked_writes"):
        assert after.measurements[figure].value == before.measurements[figure].value
    assert "not compared" not in before.measurements["wrong_content"].because
    assert "in survivors: not compared" in after.measurements["wrong_content"].because
