"""The intended load: a request without a record is known, while the drill runs and when it is judged."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.evidence import judge
from drill.history import NS, OPS_SCHEMA, History, Mark, Op, Outcome
from drill.measure import recovery
from drill.measure.unrecorded import due, schedules, unrecorded
from drill.objective import Verdict
from drill.schedule import EVENT, Schedule
from tests.drill.scripted import LIMITS, Script, altered, history

RATE = 50.0


def scheduled(whole: History) -> History:
    """The plain history with its writes' schedule: two requests of three, told as two schedules of every third."""
    told = [Schedule("write", 0, RATE / 3, phase) for phase in (0.0, 1 / 3)]
    return altered(whole, marks=(*(whole.marks or ()), *(Mark(0, EVENT, s.op, s.detail()) for s in told)))


def test_a_whole_record_is_met() -> None:
    """Every request that was due has one."""
    assert judge(scheduled(history()), LIMITS).verdict is Verdict.MET


@pytest.mark.parametrize("key", [1000, 1333, 1990])
def test_one_lost_record_is_known_to_be_lost(key: int) -> None:
    """Of a thousand, wherever it was: before the fault, after it, at the end."""
    whole = scheduled(history())
    assert whole.ops is not None
    assert whole.survivors is not None
    kept = altered(
        whole,
        ops=whole.ops.filter(pl.col("key") != key),
        survivors=whole.survivors.filter(pl.col("key") != key),
    )
    found = judge(kept, LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "1 requests of kind write were due and have no record" in found.sentence()


@pytest.mark.parametrize(
    "detail",
    [
        "{",
        '{"op":"write","begin_ns":0,"per_s":0}',
        '{"op":"write","begin_ns":0,"per_s":-1}',
        '{"op":"write","begin_ns":0,"per_s":5e7}',
        '{"op":"write","begin_ns":0,"per_s":10,"phase":-3}',
        '{"op":"write","begin_ns":99999999999999999999,"per_s":10}',
    ],
)
def test_a_schedule_that_cannot_be_read_proves_nothing(detail: str) -> None:
    """Its mark is damaged or says what no load is: what was intended is not known."""
    whole = history()
    found = judge(altered(whole, marks=(*(whole.marks or ()), Mark(0, EVENT, "write", detail))), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "the schedule of write cannot be read" in found.sentence()


def test_a_schedule_of_more_than_can_be_recorded_is_refused() -> None:
    """Marks that lie ages apart must not fill the memory."""
    with pytest.raises(ValueError, match="more than 10,000,000 requests"):
        due(Schedule("write", 0, 1000.0), 0, 10**17)


@given(
    st.integers(-(10**15), 10**15),
    st.floats(0.5, 5000),
    st.floats(0, 0.999),
    st.integers(0, 10**11),
    st.integers(0, 10**9),
)
def test_what_is_due_is_what_the_generator_sends(begin: int, rate: float, phase: float, after: int, span: int) -> None:
    """The vectorised times are those that a dispatcher counts out one by one, and none is left out."""
    schedule = Schedule("write", begin, rate, phase)
    from_ns = begin + after
    found = due(schedule, from_ns, from_ns + span).tolist()
    first = max(0, int(after * rate / NS) - 2)
    counted = [int(schedule.due_ns(n)) for n in range(first, first + int(span * rate / NS) + 6)]
    assert found == [at for at in counted if from_ns <= at < from_ns + span]
    assert Schedule.read(schedule.detail()) == schedule


def ops_until(now_s: float, hang_from_s: float) -> pl.DataFrame:
    """One write in 20 ms, answered after 10 ms; those due from `hang_from_s` on have no answer yet."""
    times = [n * NS // 50 for n in range(int(now_s * 50))]
    answered = [t for t in times if t < hang_from_s * NS]
    ops = [Op("write", t, "follower", t, t, t + NS // 100, Outcome.OK, "us-east-1", 201) for t in answered]
    found = History.of(ops=ops).ops
    assert found is not None
    return found


def test_requests_without_an_answer_are_down_while_the_drill_runs() -> None:
    """All hang since two seconds: without a schedule nothing is seen of it, with one service is down."""
    ops, schedule = ops_until(10.0, 8.0), Schedule("write", 0, 50.0)
    blind = recovery(ops, LIMITS, 5 * NS, 10 * NS)
    seen = recovery(ops, LIMITS, 5 * NS, 10 * NS, [schedule])
    assert not blind.felt
    assert seen.felt
    assert seen.down


def test_requests_that_hang_spoil_a_baseline_before_their_deadline() -> None:
    """Open for half a second where 10 ms are usual: overdue, although the deadline is a second away."""
    ops, schedule = ops_until(10.0, 9.5), Schedule("write", 0, 50.0)
    assert not recovery(ops, LIMITS, 5 * NS, 10 * NS, [schedule]).felt
    assert recovery(ops, LIMITS, 5 * NS, 10 * NS, [schedule], overdue_ns=NS // 10).felt


def test_nothing_is_due_of_an_empty_time_and_nothing_unrecorded_of_no_schedule() -> None:
    """Empty in, empty out."""
    nothing = pl.DataFrame(schema=OPS_SCHEMA)
    assert due(Schedule("read", 0, 10.0), 5, 5).size == 0
    assert unrecorded(nothing, Schedule("read", 0, 10.0), 0, NS).size == 10
    assert schedules(None) == ()
    assert Script().rate == RATE
