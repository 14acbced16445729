"""What must hold for every history, however it was made (Hypothesis; how many are tried: tests/conftest.py)."""

from __future__ import annotations

import dataclasses
import math

import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st

from drill.evidence import Judgement, judge
from drill.history import NS, History, Mark
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, down, history

ORDER = [Verdict.MET, Verdict.UNPROVEN, Verdict.MISSED]
PROOFS = ("fault.begin", "fault.effective", "drill.baseline", "drill.end")


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """An outage of at least 30 requests, up to 3 % of it lucky, in a background of at most a third of the allowance."""
    rate = draw(st.sampled_from([20.0, 37.0, 50.0, 200.0]))
    lasting = draw(st.floats(30 / rate + 0.1, 6.0)) if rate < 200 else draw(st.floats(0.3, 3.0))
    script = Script(
        rate=rate,
        fault_s=5.0 + draw(st.floats(0, 1)),
        down_s=lasting,
        end_s=6.0 + lasting + draw(st.floats(5, 7)),
        lost=draw(st.sampled_from([0, 0, 1, 5])),
        cohorts=draw(st.sampled_from([("follower",), ("follower", "sticky")])),
    )
    hit = down(script)
    first, last = int(hit.argmax()), int(len(hit) - 1 - hit[::-1].argmax())
    strays = [draw(st.integers(0, 299))]
    while strays[-1] < len(hit):
        strays.append(strays[-1] + draw(st.integers(300, 900)))
    lucky = [first + draw(st.integers(1, 40))]
    while lucky[-1] <= last:
        lucky.append(lucky[-1] + draw(st.integers(34, 90)))
    return dataclasses.replace(
        script,
        # a stray in the baseline's first seconds or the last requests is chance like any other
        strays=tuple(i for i in strays if i < len(hit) - 1 and not hit[i]),
        lucky=tuple(i for i in lucky if i <= last),
    )


def worse(a: Judgement, b: Judgement) -> bool:
    """Whether a's verdict is at least as bad as b's."""
    return ORDER.index(a.verdict) >= ORDER.index(b.verdict)


@given(scripts())
def test_the_truth_lies_in_the_bracket(script: Script) -> None:
    """However lucky the outage and noisy the background, the true recovery time is bracketed, and nearly hit."""
    found = measure(history(script), LIMITS)
    rto = found["rto_s"]
    assert rto.value is not None
    assert rto.lower is not None
    assert rto.upper is not None
    # the truth lies between two requests: service is back just after the last one that it should have failed
    assert rto.lower <= script.down_s <= rto.upper, rto
    # a stray failure of one of the first few requests after the outage cannot be told from its end; the bracket says so
    assert abs(rto.value - script.down_s) <= 4.5 / script.rate
    assert found["lost_rows"].value == script.lost


@given(scripts(), st.data())
def test_one_more_lost_write_is_never_better(script: Script, data: st.DataObject) -> None:
    """Taking one survivor away never improves the verdict, the count or the age."""
    whole = history(script)
    assert whole.survivors is not None
    gone = data.draw(st.integers(0, whole.survivors.height - 1))
    less = altered(whole, survivors=whole.survivors.with_row_index().filter(pl.col("index") != gone).drop("index"))
    before, after = judge(whole, LIMITS), judge(less, LIMITS)
    assert worse(after, before)
    assert (after.measurements["lost_writes"].value or 0) == (before.measurements["lost_writes"].value or 0) + 1
    assert (after.measurements["rpo_s"].value or 0) >= (before.measurements["rpo_s"].value or 0)


@given(scripts(), st.data())
def test_one_more_failed_request_is_never_better(script: Script, data: st.DataObject) -> None:
    """Turning one answered read, or one write that survived, into a failure never improves the verdict.

    (A lost write that was refused is no longer lost: that one has no promise to break.)
    """
    whole = history(script)
    assert whole.ops is not None
    assert whole.survivors is not None
    rows = whole.ops.with_row_index()
    kept = {store: whole.survivors.filter(store=store)["key"].implode() for store in ("aurora", "s3")}
    safe = (
        (pl.col("op") == "read")
        | ((pl.col("op") == "write") & pl.col("key").is_in(kept["aurora"]))
        | ((pl.col("op") == "put_object") & pl.col("key").is_in(kept["s3"]))
    )
    good = rows.filter(safe & (pl.col("outcome") == "ok"))["index"]
    index = good[data.draw(st.integers(0, len(good) - 1))]
    ops = rows.with_columns(outcome=pl.when(pl.col("index") == index).then(pl.lit("fail")).otherwise("outcome")).drop(
        "index"
    )
    assert worse(judge(altered(whole, ops=ops), LIMITS), judge(whole, LIMITS))


@given(scripts(), st.integers(0, 2**31))
def test_the_order_of_records_does_not_matter(script: Script, seed: int) -> None:
    """Shuffled ops, marks, samples and survivors give the same verdict.json to the last digit."""
    whole = history(script)
    shuffled = History(
        ops=None if whole.ops is None else whole.ops.sample(fraction=1, shuffle=True, seed=seed),
        marks=tuple(sorted(whole.marks or (), key=lambda m: hash((m, seed)))),
        samples=None if whole.samples is None else whole.samples.sample(fraction=1, shuffle=True, seed=seed),
        survivors=None if whole.survivors is None else whole.survivors.sample(fraction=1, shuffle=True, seed=seed),
    )
    assert judge(shuffled, LIMITS).to_json() == judge(whole, LIMITS).to_json()


@given(scripts(), st.sampled_from([*PROOFS, "survivors", "samples", "ops", "marks", "acknowledgements"]))
def test_removing_any_proof_unproves(script: Script, proof: str) -> None:
    """A history that is MET without one of its proofs is UNPROVEN."""
    whole = history(dataclasses.replace(script, lost=0))
    # a stray failure in a slow, short baseline may itself leave steady state unproved: that one has nothing to lose
    assume(judge(whole, LIMITS).verdict is Verdict.MET)
    assert whole.ops is not None
    if proof in PROOFS:
        also = ("fault.healed",) if proof == "drill.end" else ()
        less = altered(whole, marks=tuple(m for m in whole.marks or () if m.event not in (proof, *also)))
    elif proof == "acknowledgements":
        unsure = (pl.col("op") != "read") & (pl.col("ended_ns") <= round(script.fault_s * NS))
        doubt = pl.when(unsure).then(pl.lit("unknown")).otherwise("outcome")
        less = altered(whole, ops=whole.ops.with_columns(outcome=doubt))
    else:
        less = altered(whole, **{proof: None})
    assert judge(less, LIMITS).verdict is Verdict.UNPROVEN


@given(scripts(), scripts())
def test_two_cohorts_together_are_never_better_than_the_worse(one: Script, two: Script) -> None:
    """What either alone has MISSED both have, and both are back no sooner than the earliest that either can have been.

    (UNPROVEN for want of requests may become proved: more requests see more.)
    """
    fault_s, end_s = one.fault_s, max(one.end_s, two.end_s) + 1.0
    a = history(dataclasses.replace(one, cohorts=("follower",), fault_s=fault_s, end_s=end_s))
    b = history(dataclasses.replace(two, cohorts=("sticky",), fault_s=fault_s, end_s=end_s))
    assert a.ops is not None
    assert b.ops is not None
    assert a.survivors is not None
    assert b.survivors is not None
    apart = pl.col("key") + 1_000_000
    b_ops, b_survivors = b.ops.with_columns(key=apart), b.survivors.with_columns(key=apart)
    b = altered(b, ops=b_ops, survivors=b_survivors)
    both = altered(a, ops=pl.concat([a.ops, b_ops]), survivors=pl.concat([a.survivors, b_survivors]))
    limits = dataclasses.replace(LIMITS, rto_s=2.0)
    together, alone = judge(both, limits), [judge(h, limits) for h in (a, b)]
    if any(j.verdict is Verdict.MISSED for j in alone):
        assert together.verdict is Verdict.MISSED
    upper = together.measurements["rto_s"].upper
    assert upper is not None
    assert all(upper >= (j.measurements["rto_s"].lower or 0.0) for j in alone)


@given(scripts(), st.integers(-(10**15), 10**15))
def test_where_the_clock_starts_does_not_matter(script: Script, offset: int) -> None:
    """All times shifted by the same amount give the same verdict.json."""
    whole = history(script)
    assert whole.ops is not None
    assert whole.samples is not None
    assert whole.survivors is not None
    shifted = History(
        ops=whole.ops.with_columns(pl.col("intended_ns", "began_ns", "ended_ns") + offset),
        marks=tuple(Mark(m.at_ns + offset, m.event, m.subject, m.detail) for m in whole.marks or ()),
        samples=whole.samples.with_columns(pl.col("at_ns") + offset),
        survivors=whole.survivors.with_columns(pl.col("at_ns") + offset),
    )
    assert judge(shifted, LIMITS).to_json() == judge(whole, LIMITS).to_json()


@given(scripts())
def test_every_figure_lies_within_its_bounds(script: Script) -> None:
    """lower <= value <= upper, for every figure that has them."""
    for m in measure(history(script), LIMITS).named.values():
        if m.value is not None and not math.isinf(m.value):
            assert m.lower is not None
            assert m.upper is not None
            assert m.lower <= m.value <= m.upper, m
