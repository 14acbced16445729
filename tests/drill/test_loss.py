"""The ledger: what was lost, how old, in which store, and what else it shows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.evidence import judge
from drill.history import NS, History, Op, Outcome, Survivor
from drill.measure import measure
from drill.measure.ledger import KeySet
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, altered, history


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.integers(-5, 200)), st.booleans())
def test_a_key_set_is_a_set(wide: list[int], narrow: list[int], apart: bool) -> None:
    """Whether keys lie together or far apart, membership and size are those of a Python set."""
    keys = wide + narrow if apart else narrow
    found = KeySet(np.array(keys, dtype=np.int64))
    requested = [*range(-6, 202), *wide, -(2**63), 2**63 - 1]
    assert found.size == len(set(keys))
    assert found.has(np.array(requested, dtype=np.int64)).tolist() == [k in set(keys) for k in requested]


def plus(whole: History, *ops: Op) -> History:
    """The history with further ops."""
    more = History.of(ops=ops).ops
    assert whole.ops is not None
    assert more is not None
    return altered(whole, ops=pl.concat([whole.ops, more]))


def op(key: int, at_s: float, outcome: Outcome = Outcome.OK, kind: str = "write", took_s: float = 0.01) -> Op:
    """One op of its own."""
    due = round(at_s * NS)
    return Op(kind, key, "follower", due, due, due + round(took_s * NS), outcome, "us-east-1", 201)


def rows(whole: History, *added: tuple[str, int, int]) -> pl.DataFrame:
    """The survivors with further (store, key, copies)."""
    assert whole.survivors is not None
    more = History.of(survivors=[Survivor(s, k, c, 21 * NS) for s, k, c in added]).survivors
    assert more is not None
    return pl.concat([whole.survivors, more])


def test_nothing_lost_is_zero_with_the_ledger_s_resolution() -> None:
    """0 s, bounded by the time since the last write that was kept."""
    rpo = measure(history(), LIMITS)["rpo_s"]
    assert (rpo.value, rpo.lower) == (0.0, 0.0)
    assert rpo.upper is not None
    assert 0.0 < rpo.upper < 0.2


def test_the_oldest_lost_write_sets_the_age() -> None:
    """The last 20 writes before the fault are gone: the oldest was acknowledged 0.6 s before it."""
    found = measure(history(lost=20), LIMITS)
    whole = history(lost=20)
    assert whole.ops is not None
    assert whole.survivors is not None
    kept = whole.survivors.filter(pl.col("store") == "aurora")["key"]
    acked = whole.ops.filter((pl.col("op") == "write") & (pl.col("outcome") == "ok"))
    oldest = acked.filter(~pl.col("key").is_in(kept.implode()))["ended_ns"].min()
    assert isinstance(oldest, int)
    assert found["lost_writes"].value == 20
    assert found["rpo_s"].value == pytest.approx(8.0 - oldest / NS, abs=1e-9)
    assert found["rpo_s"].value == pytest.approx(0.6, abs=0.05)
    assert found["rpo_aurora_s"].value == found["rpo_s"].value
    assert found["rpo_s3_s"].value == 0.0


def test_the_worse_store_decides() -> None:
    """Three seconds of receipts are gone while every row is there: rpo_s is the bucket's."""
    whole = history()
    assert whole.survivors is not None
    assert whole.ops is not None
    lost = whole.ops.filter(
        (pl.col("op") == "put_object") & pl.col("intended_ns").is_between(5 * NS, 8 * NS, closed="left")
    )["key"]
    survivors = whole.survivors.filter((pl.col("store") == "aurora") | ~pl.col("key").is_in(lost.implode()))
    found = measure(altered(whole, survivors=survivors), LIMITS)
    assert found["rpo_s"].value == found["rpo_s3_s"].value == pytest.approx(3.0, abs=0.35)
    assert (found["lost_objects"].value, found["lost_rows"].value) == (len(lost), 0)
    assert found["lost_writes"].value == len(lost)


def test_a_write_acknowledged_after_the_fault_and_lost_is_told_apart() -> None:
    """Split brain: counted by itself, MISSED, and no part of the age."""
    whole = plus(history(), op(900_001, 9.0))
    found = judge(whole, LIMITS)
    assert found.measurements["lost_after_fault"].value == 1
    assert found.measurements["rpo_s"].value == 0.0
    assert found.verdict is Verdict.MISSED


def test_an_answer_that_crossed_the_fault_is_no_split_brain() -> None:
    """Sent before the fault, answered 20 ms after it: lost, but not acknowledged by someone who should be dead."""
    found = measure(plus(history(), op(900_001, 7.99, took_s=0.03)), LIMITS)
    assert (found["lost_writes"].value, found["lost_after_fault"].value) == (1, 0)


def test_in_doubt_found_or_not() -> None:
    """Two in doubt, one of them found; one that was acknowledged on a second try is not in doubt."""
    doubtful = [op(900_001, 9.0, Outcome.UNKNOWN), op(900_002, 9.0, Outcome.UNKNOWN), op(900_003, 7.0, Outcome.UNKNOWN)]
    whole = plus(history(), *doubtful, op(900_003, 7.5))
    found = measure(altered(whole, survivors=rows(whole, ("aurora", 900_001, 1), ("aurora", 900_003, 1))), LIMITS)
    assert found["in_doubt_writes"].value == 2
    assert found["in_doubt_found"].value == 1
    assert found["lost_writes"].value == 0


def test_a_refused_write_that_happened_is_counted() -> None:
    """The client was told no, and the row is there."""
    whole = plus(history(), op(900_001, 9.0, Outcome.FAIL))
    found = measure(altered(whole, survivors=rows(whole, ("aurora", 900_001, 1))), LIMITS)
    assert found["refused_found"].value == 1


@pytest.mark.parametrize("copies", [((3,)), ((1, 1, 1))])
def test_duplicates_are_missed_however_they_are_recorded(copies: tuple[int, ...]) -> None:
    """Two copies too many, as a count or as rows."""
    whole = plus(history(), op(900_001, 7.0))
    survivors = rows(whole, *(("aurora", 900_001, c) for c in copies))
    found = judge(altered(whole, survivors=survivors), LIMITS)
    assert found.measurements["duplicates"].value == 2
    assert found.verdict is Verdict.MISSED


def test_a_row_that_nobody_sent_makes_the_records_doubtful() -> None:
    """A phantom write: either the store or the records are not what they should be."""
    whole = history()
    found = judge(altered(whole, survivors=rows(whole, ("aurora", 900_001, 1))), LIMITS)
    assert found.measurements["phantom_writes"].value == 1
    assert found.verdict is Verdict.UNPROVEN


def test_zero_copies_are_not_there() -> None:
    """A key recorded with no copies did not survive."""
    whole = plus(history(), op(900_001, 7.0))
    assert measure(altered(whole, survivors=rows(whole, ("aurora", 900_001, 0))), LIMITS)["lost_writes"].value == 1


def test_a_write_acknowledged_after_the_survivors_were_read_is_not_lost() -> None:
    """It is neither lost nor kept: it is counted apart."""
    found = measure(plus(history(), op(900_001, 25.0)), LIMITS)
    assert (found["lost_writes"].value, found["unchecked_writes"].value) == (0, 1)


def test_a_late_acknowledgement_binds_too() -> None:
    """Acknowledged after its deadline, then lost: it was promised, so it counts."""
    found = measure(plus(history(), op(900_001, 5.0, took_s=2.0)), LIMITS)
    assert (found["acked_after_deadline"].value, found["lost_writes"].value) == (1, 1)


def test_wrong_content_is_missed() -> None:
    """An answer that showed another amount than was acknowledged."""
    wrong = op(1000, 15.0, Outcome.FAIL, "read")
    whole = plus(history(), wrong)
    assert whole.ops is not None
    ops = whole.ops.with_columns(
        error=pl.when((pl.col("op") == "read") & (pl.col("key") == 1000)).then(pl.lit("wrong_content"))
    )
    found = judge(altered(whole, ops=ops), LIMITS)
    assert found.measurements["wrong_content"].value == 1
    assert found.verdict is Verdict.MISSED


def test_a_lost_write_may_be_as_old_as_its_sending() -> None:
    """The lost writes took half a second to be acknowledged: the oldest may have been stored when it was sent."""
    whole = history(lost=3)
    assert whole.ops is not None
    sent = pl.when(pl.col("intended_ns") < 8 * NS).then(pl.col("began_ns") - NS // 2).otherwise(pl.col("began_ns"))
    slow = altered(whole, ops=whole.ops.with_columns(began_ns=sent))
    before, after = measure(whole, LIMITS)["rpo_s"], measure(slow, LIMITS)["rpo_s"]
    assert (after.value, after.lower) == (before.value, before.lower)
    assert before.upper is not None
    assert after.upper is not None
    assert after.value is not None
    assert before.upper < 0.2
    assert after.upper == pytest.approx(after.value + 0.5, abs=0.02)
