"""Wrong content: what survived is held against what was acknowledged, key by key."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.content import checksum, of_order
from drill.evidence import judge
from drill.history import NS, History, Op, Outcome, Survivor
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, STANDBY, altered, history

KEY = 5_000_000
KINDS = {"aurora": "write", "s3": "put_object"}


def sent(
    content: int | None, key: int = KEY, outcome: Outcome = Outcome.OK, store: str = "aurora", kind: str | None = None
) -> Op:
    """A write during the baseline."""
    return Op(
        kind or KINDS[store], key, "follower", NS, NS + 1, NS + 10**7, outcome, "us-east-1", 201, None, store, content
    )


def kept(content: int | None, key: int = KEY, copies: int = 1, store: str = "aurora") -> Survivor:
    """What was found of it in the end."""
    return Survivor(store, key, copies, 21 * NS, STANDBY, content)


def drill(*extra: Op | Survivor) -> History:
    """A drill that is MET, whose own contents are not known, with further ops and survivors."""
    whole = history()
    more = History.of(
        ops=[x for x in extra if isinstance(x, Op)], survivors=[x for x in extra if isinstance(x, Survivor)]
    )
    return altered(
        whole,
        ops=pl.concat(f for f in (whole.ops, more.ops) if f is not None),
        survivors=pl.concat(f for f in (whole.survivors, more.survivors) if f is not None),
    )


def wrong(*extra: Op | Survivor) -> float | None:
    """How much wrong content such a drill shows."""
    return measure(drill(*extra), LIMITS)["wrong_content"].value


def test_nothing_known_is_nothing_compared() -> None:
    """Records without contents, or with those of one side alone, count answers only and say that no more was done."""
    for whole in (drill(), drill(sent(1), kept(None)), drill(sent(None), kept(1)), History()):
        found = measure(whole, LIMITS)["wrong_content"]
        assert found.value == 0
        assert "not compared" in found.because


def test_what_was_acknowledged_is_met() -> None:
    """The same content in both stores, beside keys whose content is not known."""
    both = [x for store in KINDS for x in (sent(1, store=store), kept(1, store=store))]
    judgement = judge(drill(*both), LIMITS)
    assert judgement.measurements["wrong_content"].value == 0
    assert judgement.verdict is Verdict.MET


@pytest.mark.parametrize("store", KINDS)
def test_another_content_is_missed(store: str) -> None:
    """One key with another content misses the drill, whatever the objectives say; which store it was is told."""
    judgement = judge(drill(sent(1, store=store), kept(2, store=store)), LIMITS)
    found = judgement.measurements["wrong_content"]
    assert found.value == 1
    assert f"{store} 1" in found.because
    assert judgement.verdict is Verdict.MISSED


def test_stores_are_told_apart() -> None:
    """The row of a key may differ from its receipt; each is held against its own write."""
    assert wrong(sent(1), kept(1), sent(2, store="s3"), kept(2, store="s3")) == 0
    assert wrong(sent(1), kept(2), sent(2, store="s3"), kept(1, store="s3")) == 2


def test_a_write_goes_to_the_store_that_it_names() -> None:
    """A named store counts before the kind of the op; without a name the kind says it; a read writes nowhere."""
    assert wrong(sent(1, store="s3", kind="write"), kept(2, store="s3")) == 1
    assert wrong(sent(1, store="s3", kind="write"), kept(2)) == 0
    unnamed = Op("write", KEY, "follower", NS, NS + 1, NS + 10**7, Outcome.OK, "us-east-1", 201, None, None, 1)
    assert wrong(unnamed, sent(1, KEY + 1), kept(2)) == 1
    read = measure(drill(sent(1, kind="read"), kept(1)), LIMITS)
    assert (read["lost_rows"].value, read["phantom_writes"].value) == (0, 1)


def test_of_several_contents_any_is_right() -> None:
    """Acknowledged twice, or once and once in doubt: either may stand there, a third may not."""
    for second in (sent(2), sent(2, outcome=Outcome.UNKNOWN)):
        assert wrong(sent(1), second, kept(1)) == 0
        assert wrong(sent(1), second, kept(2)) == 0
        assert wrong(sent(1), second, kept(3)) == 1
    assert wrong(sent(1), sent(2, outcome=Outcome.FAIL), kept(2)) == 1


def test_an_unknown_content_excuses_its_key_alone() -> None:
    """Where one of a key's writes or its survivor is not known nothing is proved; its neighbour's difference stands."""
    assert wrong(sent(1), sent(None), kept(2)) == 0
    assert wrong(sent(1), kept(None), sent(1, KEY + 1), kept(2, KEY + 1)) == 1


def test_only_what_was_acknowledged_was_promised() -> None:
    """A write in doubt, a refused one, a stranger's key and a key with no copies are counted elsewhere."""
    assert wrong(sent(1, outcome=Outcome.UNKNOWN), kept(2)) == 0
    assert wrong(sent(1, outcome=Outcome.FAIL), kept(2)) == 0
    assert wrong(sent(1), kept(1), kept(2, KEY + 1)) == 0
    assert wrong(sent(1), kept(2, copies=0)) == 0


def test_a_key_counts_once() -> None:
    """Two rows of a key, both wrong or one of them, are one key of wrong content, beside being duplicates."""
    assert wrong(sent(1), kept(2, copies=3), kept(3)) == 1
    found = measure(drill(sent(1), kept(1), kept(2)), LIMITS)
    assert (found["wrong_content"].value, found["duplicates"].value) == (1, 1)


def test_answers_and_survivors_add_up() -> None:
    """A read that showed another content and a key that survived with another are two findings."""
    read = Op("read", KEY, "follower", NS, NS, NS, Outcome.FAIL, "us-east-1", 200, "wrong_content")
    assert wrong(sent(1), kept(2), read) == 2


pairs = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([None, 1, 2, 3]), st.sampled_from(Outcome)), max_size=12)
found = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([None, 1, 2, 3])), max_size=12)


@given(pairs, found)
def test_it_is_what_plain_sets_say(
    writes: list[tuple[int, int | None, Outcome]], rows: list[tuple[int, int | None]]
) -> None:
    """Whatever was written and found: the count is that of a loop over keys."""
    expected = 0
    for key in range(5):
        ends = {outcome for k, _, outcome in writes if k == key}
        may = {content for k, content, outcome in writes if k == key and outcome is not Outcome.FAIL}
        rests = {content for k, content in rows if k == key and content is not None}
        expected += Outcome.OK in ends and None not in may and bool(rests - may)
    ops = [sent(content, KEY + key, outcome) for key, content, outcome in writes]
    assert wrong(*ops, *(kept(content, KEY + key) for key, content in rows)) == expected


def test_a_checksum_is_that_of_the_content() -> None:
    """64 bits that a Parquet column of signed integers holds, the same in every process, another for another order."""
    assert checksum(b"") == -1970711489451281740
    assert of_order(5, 7) == checksum(b'{"key":5,"amount":7}')
    assert len({of_order(key, amount) for key in range(100) for amount in range(100)}) == 10_000


def test_survivors_read_without_their_content_prove_nothing_of_it() -> None:
    """What was acknowledged is known, what survived is only counted: nobody compared the two."""
    whole = history()
    assert whole.ops is not None
    ops = whole.ops.with_columns(content=pl.when(pl.col("op") != "read").then(pl.col("key")))
    found = judge(altered(whole, ops=ops), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "read without their content" in found.sentence()


def test_a_write_to_a_store_that_nobody_reads_is_unproven() -> None:
    """Its survivors are in no record."""
    whole = history()
    assert whole.ops is not None
    store = pl.when(pl.col("key") == 1000).then(pl.lit("dynamodb")).otherwise("store")
    found = judge(altered(whole, ops=whole.ops.with_columns(store=store)), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "dynamodb" in found.sentence()
