"""Recovery time and its bracket, for the whole, each cohort, each kind; the same while the drill runs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import polars as pl
import pytest

from drill.evidence import judge
from drill.history import NS, OPS_SCHEMA, History, Mark, completed
from drill.measure import measure, recovery
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, ops_of


def test_the_truth_is_measured_and_bracketed() -> None:
    """Down for 4 s at 200/s: measured to the request, the bracket a few milliseconds wide."""
    rto = measure(history(rate=200.0), LIMITS)["rto_s"]
    assert rto.value == pytest.approx(4.0, abs=1.5 / 200)
    assert rto.lower is not None
    assert rto.upper is not None
    assert rto.lower <= 4.0 <= rto.upper
    assert rto.upper - rto.lower < 0.15


def test_never_recovered_is_infinite_and_missed() -> None:
    """Down to the end: infinity, because nothing was good again, and MISSED."""
    found = judge(history(down_s=12.0), LIMITS)
    assert found.measurements["rto_s"].value == math.inf
    assert found.verdict is Verdict.MISSED


def test_what_recovers_only_once_healed_has_not_recovered() -> None:
    """Observation ends when the fault is taken away, even if drill.end comes later."""
    whole = history(down_s=6.0, end_s=20.0)
    marks = (m for m in whole.marks or () if m.event != "fault.healed")
    healed = altered(whole, marks=(*marks, Mark(13 * NS, "fault.healed", "us-east-1")))
    assert judge(healed, LIMITS).measurements["rto_s"].value == math.inf


@pytest.mark.parametrize(
    ("over_s", "ending_s", "down_s", "meaning"),
    [
        (2.0, 1.9, 4.0, "; the fault ended by itself 2.000 s after it took effect, and service was not back before"),
        (2.0, None, 4.0, "; the fault ended by itself 2.000 s after it took effect, and service was not back before"),
        (6.0, 5.9, 4.0, "; the fault ended by itself 6.000 s after it took effect, when service was back already"),
        (6.0, None, 4.0, ", and whether service would have come back without that cannot be told"),
        (4.05, 3.9, 4.0, ", and whether service would have come back without that cannot be told"),
        (2.0, 1.9, 12.0, "; the fault ended by itself 2.000 s after it took effect, and service was not back before"),
        (2.0, 1.9, 0.0, "no outage that cannot be chance was seen after the fault; the fault ended by itself 2.000 s"),
        (None, None, 4.0, "up from then on"),
    ],
)
def test_a_fault_that_ended_by_itself_is_named(
    over_s: float | None, ending_s: float | None, down_s: float, meaning: str
) -> None:
    """Whether service came back before or only once it was over, of the whole, each kind and each cohort."""
    whole = history(down_s=down_s)
    effective_ns = next(m.at_ns for m in whole.marks or () if m.event == "fault.effective")
    told = {"fault.ending": ending_s, "fault.over": over_s}
    more = [Mark(effective_ns + round(at * NS), event) for event, at in told.items() if at is not None]
    found = measure(altered(whole, marks=(*(whole.marks or ()), *more)), LIMITS)
    assert meaning in found["rto_s"].because
    assert all(meaning in cohort.rto.because for cohort in found.cohorts)
    assert meaning in found["rto_write_s"].because
    assert ("ended by itself" in found["rto_s"].because) is (over_s is not None)
    assert found["rto_s"].value == measure(whole, LIMITS)["rto_s"].value


def test_a_flap_restarts_the_clock() -> None:
    """Back after 3 s, down again for a second: recovery counts from the end of the second outage."""
    rto = measure(history(down_s=3.0, flaps=((13.0, 14.0),)), LIMITS)["rto_s"]
    assert rto.value == pytest.approx(6.0, abs=0.03)
    assert "the last of 2 outages" in rto.because


def test_recovered_but_not_settled_is_unproven() -> None:
    """Back one second before the end, where three must be seen."""
    found = judge(history(down_s=9.0, end_s=18.0), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "held for only" in found.sentence()


def test_back_but_worse_than_the_objective_is_not_back() -> None:
    """After the outage one request in 40 fails for good: never recovered."""
    strays = tuple(range(620, 1000, 40))
    assert judge(history(strays=strays, end_s=20.0), LIMITS).measurements["rto_s"].value == math.inf


def reads_alone(seed: int, held_s: float = 0.9) -> tuple[History, float]:
    """200 orders and 20 reads a second of three cohorts at random; the reads alone fail for a while: (records, RTO)."""
    chance = np.random.default_rng(seed)
    fault_s, down_s = 0.7, chance.uniform(0.6, 0.8)
    end_s = fault_s + down_s + held_s
    frames = []
    for op, rate in (("write", 200), ("read", 20)):
        due_s = np.arange(chance.uniform(0, 1 / rate), end_s, 1 / rate)
        failed = (op == "read") & (due_s >= fault_s) & (due_s < fault_s + down_s)
        due = np.round(due_s * NS).astype(np.int64)
        cohort = chance.choice(["follower", "fresh", "sticky"], due.size, p=[0.6, 0.2, 0.2])
        columns = {"op": op, "key": np.arange(due.size), "cohort": cohort, "intended_ns": due, "began_ns": due}
        more = {"ended_ns": due + 3_000_000, "outcome": np.where(failed, "fail", "ok")}
        none = {"region": None, "status": None, "error": None}
        frames.append(completed(pl.DataFrame(columns | more | none), OPS_SCHEMA))
    times = {"drill.baseline": 0.0, "fault.begin": fault_s, "fault.effective": fault_s, "drill.end": end_s}
    marks = tuple(Mark(round(at * NS), event) for event, at in times.items())
    return History(pl.concat(frames), marks), down_s


def test_reads_alone_are_told_to_their_own_interval() -> None:
    """One kind in eleven fails, of three cohorts: the value is right to one and a half reads, and bracketed."""
    limits = dataclasses.replace(LIMITS, deadline_s=0.3, settle_s=0.5, window_s=0.5)
    for seed in range(40):
        whole, truth_s = reads_alone(seed)
        rto = measure(whole, limits)["rto_s"]
        assert rto.value is not None
        assert abs(rto.value - truth_s) <= 1.5 / 20, (seed, rto)
        assert (rto.lower or 0.0) <= truth_s <= (rto.upper or 0.0), (seed, rto)


def test_a_cohort_seen_too_seldom_is_unproven_not_missed() -> None:
    """A cohort whose only good read came last may be back or lucky: nobody can tell, so it is no miss and no pass."""
    limits = dataclasses.replace(LIMITS, deadline_s=0.3, settle_s=0.5, window_s=0.5)
    doubtful = 0
    for seed in range(40):
        whole, _ = reads_alone(seed)
        found = judge(whole, limits)
        for cohort in found.cohorts:
            rto = cohort.rto
            assert rto.value is not None
            assert rto.verdict is not Verdict.MISSED, (seed, cohort)
            assert rto.upper is not None
            doubtful += math.isinf(rto.upper)
    assert doubtful, "no cohort was too sparse: the histories no longer ask the question"


def test_slow_answers_are_down_but_told_from_silence() -> None:
    """Answers later than the deadline: not up, yet degraded rather than down."""
    found = measure(history(slow_s=2.0), LIMITS)
    assert found["rto_s"].value == pytest.approx(4.0, abs=0.03)
    assert found["downtime_s"].value == pytest.approx(4.0, abs=0.05)
    assert found["degraded_s"].value == pytest.approx(4.0, abs=0.05)
    assert measure(history(), LIMITS)["degraded_s"].value == 0.0


def test_a_cohort_that_is_back_later_decides() -> None:
    """Sticky clients fail two seconds longer: theirs is the recovery time, and the table shows both."""
    script = Script(cohorts=("follower", "follower", "follower", "sticky"))
    ops = ops_of(script)
    late = (pl.col("cohort") == "sticky") & pl.col("intended_ns").is_between(12 * NS, 14 * NS)
    ops = ops.with_columns(outcome=pl.when(late).then(pl.lit("fail")).otherwise("outcome"))
    found = judge(altered(history(script), ops=ops), LIMITS)
    by_cohort = {c.cohort: c.rto.value for c in found.cohorts}
    assert by_cohort["follower"] == pytest.approx(4.0, abs=0.1)
    assert by_cohort["sticky"] == pytest.approx(6.0, abs=0.25)
    assert found.measurements["rto_s"].value == pytest.approx(6.0, abs=0.25)


def test_a_cohort_too_small_to_show_in_the_whole_still_decides() -> None:
    """One request in 200 is sticky and never served again: 99.5 % are good, and yet it is MISSED."""
    script = Script(rate=200.0, end_s=40.0)
    ops = ops_of(script).with_columns(
        cohort=pl.when(pl.col("key") % 200 == 1).then(pl.lit("sticky")).otherwise("cohort")
    )
    lost = (pl.col("cohort") == "sticky") & (pl.col("intended_ns") >= 12 * NS)
    ops = ops.with_columns(outcome=pl.when(lost).then(pl.lit("fail")).otherwise("outcome"))
    found = judge(altered(history(script), ops=ops), LIMITS)
    assert found.measurements["rto_s"].value == math.inf
    assert found.verdict is Verdict.MISSED


def test_reads_and_writes_recover_apart() -> None:
    """Writes fail two seconds longer than reads: each kind has its own recovery time."""
    ops = ops_of(Script())
    late = (pl.col("op") != "read") & pl.col("intended_ns").is_between(12 * NS, 14 * NS)
    ops = ops.with_columns(outcome=pl.when(late).then(pl.lit("fail")).otherwise("outcome"))
    found = measure(altered(history(), ops=ops), LIMITS)
    assert found["rto_read_s"].value == pytest.approx(4.0, abs=0.1)
    assert found["rto_write_s"].value == pytest.approx(6.0, abs=0.1)
    assert found["rto_object_s"].value == pytest.approx(6.0, abs=0.5)


def test_a_kind_nobody_asked_for_is_not_held_against_the_drill() -> None:
    """Without receipts there is no rto_object_s, and the verdict does not suffer."""
    whole = history()
    assert whole.ops is not None
    found = judge(altered(whole, ops=whole.ops.filter(pl.col("op") != "put_object"), survivors=_rows(whole)), LIMITS)
    assert found.measurements["rto_object_s"].value is None
    assert found.measurements["rto_object_s"].verdict is None
    assert found.verdict is Verdict.MET


def test_a_planned_fault_that_nobody_felt_is_zero_with_a_bound() -> None:
    """No outage: 0 s, bounded by the longest time without a good request; MET only where it need not have an impact."""
    whole = history(down_s=0.0)
    assert judge(whole, LIMITS).verdict is Verdict.UNPROVEN
    assert "felt" in judge(whole, LIMITS).sentence()
    planned = judge(whole, LIMITS, require_impact=False)
    assert planned.verdict is Verdict.MET
    rto = planned.measurements["rto_s"]
    assert rto.value == 0.0
    assert rto.upper == pytest.approx(1 / 50)


def test_the_mark_says_whether_impact_is_required() -> None:
    """drill.expects decides where the caller does not say, so stored records give the same verdict."""
    whole = history(down_s=0.0)
    marks = (m for m in whole.marks or () if m.event != "drill.expects")
    planned = altered(whole, marks=(*marks, Mark(0, "drill.expects", "scripted", "no-bite")))
    assert judge(planned, LIMITS).verdict is Verdict.MET


def test_online_and_offline_agree() -> None:
    """Once recovered, the running drill sees the same instant that the judge will; before, it sees the outage."""
    ops = ops_of(Script(rate=200.0))
    fault = 8 * NS
    before = recovery(ops, LIMITS, None, 7 * NS)
    assert (before.felt, before.share_good) == (False, 1.0)
    assert recovery(ops.head(0), LIMITS, None, 7 * NS).share_good is None
    during = recovery(ops.filter(pl.col("ended_ns") <= 11 * NS), LIMITS, fault, 11 * NS)
    assert (during.felt, during.down, during.recovered_at_ns, during.share_good) == (True, True, None, 0.0)
    after = recovery(ops.filter(pl.col("ended_ns") <= 18 * NS), LIMITS, fault, 18 * NS)
    assert (after.felt, after.down) == (True, False)
    assert after.held_s == pytest.approx(5.0, abs=0.02)
    offline = measure(history(rate=200.0), LIMITS)["rto_s"].value
    assert after.recovered_at_ns is not None
    assert (after.recovered_at_ns - fault) / NS == offline


def _rows(whole: History) -> pl.DataFrame:
    assert whole.survivors is not None
    return whole.survivors.filter(pl.col("store") == "aurora")


def test_a_good_request_proves_service_by_its_answer() -> None:
    """Answers take 200 ms: the first good request may have been served at any time until its answer came."""
    whole = history(rate=200.0)
    assert whole.ops is not None
    slow = altered(whole, ops=whole.ops.with_columns(ended_ns=pl.col("intended_ns") + 200_000_000))
    quick, rto, down = measure(whole, LIMITS)["rto_s"], measure(slow, LIMITS)["rto_s"], measure(slow, LIMITS)
    assert rto.value == quick.value
    assert rto.upper is not None
    # the first receipt asked for after the outage is due 50 ms into it
    assert rto.upper == pytest.approx(4.25, abs=0.02)
    assert down["downtime_s"].lower == pytest.approx(3.8, abs=0.03)
    assert down["downtime_s"].upper == pytest.approx(4.2, abs=0.03)
