"""Where the seconds went: the phases add up to the recovery time, and nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.history import NS, History, Mark
from drill.measure import Phase, measure
from tests.drill.scripted import LIMITS, Script, altered, history, without

EVENTS = ("health_check.unhealthy", "dns.answer", "promotion.begin", "promotion.end")
WHOLE = history()


def total(phases: tuple[Phase, ...]) -> float:
    """The sum of all phases that are not missing."""
    return sum(p.to_s - p.from_s for p in phases if p.to_s is not None)


def test_every_step_in_its_order() -> None:
    """A plain failover shows all eight steps, each beginning where the one before ended."""
    phases = measure(WHOLE, LIMITS).waterfall
    assert [p.phase for p in phases] == [
        "first failed request",
        "health check unhealthy",
        "dns answer flips",
        "promotion begins",
        "promotion ends",
        "first client on the standby",
        "first acknowledged write",
        "sustained",
    ]
    ends = [0.0, *(p.to_s for p in phases)]
    assert [p.from_s for p in phases] == ends[:-1]
    assert ends[2:6] == pytest.approx([1.2, 1.6, 2.0, 3.2])


@given(
    st.dictionaries(st.sampled_from(EVENTS), st.integers(-2 * NS, 11 * NS)),
    st.sampled_from([0.5, 2.0, 4.0, 8.0, 12.0]),
)
def test_the_phases_add_up_whatever_marks_there_are(at: dict[str, int], down_s: float) -> None:
    """Whenever the marks fall and whichever are missing, the known phases add up to the recovery time."""
    marks = [Mark(8 * NS + t, e, "x", "somewhere new") for e, t in at.items()]
    bare = without(history(Script(rate=20.0, down_s=down_s)), *EVENTS)
    found = measure(altered(bare, marks=(*(bare.marks or ()), *marks)), LIMITS)
    rto = found["rto_s"].value
    assert rto is not None
    if found.waterfall[-1].to_s is not None:
        assert total(found.waterfall) == pytest.approx(rto, abs=1e-9)
    else:
        assert rto == float("inf")
    assert all(p.to_s is None or p.to_s >= p.from_s >= 0 for p in found.waterfall)


@pytest.mark.parametrize("event", EVENTS)
def test_a_missing_mark_is_shown_as_missing(event: str) -> None:
    """Without its mark a step has no end and says so; the rest still adds up."""
    found = measure(without(WHOLE, event), LIMITS)
    (gone,) = [p for p in found.waterfall if p.to_s is None]
    assert gone.note == "no mark of it"
    assert total(found.waterfall) == found["rto_s"].value


def test_a_step_after_service_was_back_takes_no_part() -> None:
    """A health check that turned unhealthy only after recovery did not cause it."""
    bare = without(WHOLE, "health_check.unhealthy")
    late = altered(bare, marks=(*(bare.marks or ()), Mark(14 * NS, "health_check.unhealthy", "us-east-1")))
    phases = measure(late, LIMITS).waterfall
    (step,) = [p for p in phases if p.phase == "health check unhealthy"]
    assert step.to_s is None
    assert "only 6.000 s after the fault" in step.note


def test_an_answer_that_did_not_change_is_no_flip() -> None:
    """DNS answered the same region again: nothing flipped."""
    bare = without(WHOLE, "dns.answer")
    same = (Mark(NS, "dns.answer", "api", "us-east-1"), Mark(9 * NS, "dns.answer", "api", "us-east-1"))
    phases = measure(altered(bare, marks=(*(bare.marks or ()), *same)), LIMITS).waterfall
    assert next(p for p in phases if p.phase == "dns answer flips").to_s is None


def test_without_outage_or_fault_there_is_none() -> None:
    """Nothing happened, so there is nothing to take apart."""
    assert measure(history(down_s=0.0), LIMITS).waterfall == ()
    assert measure(without(WHOLE, "fault.effective"), LIMITS).waterfall == ()
    assert measure(History(), LIMITS).waterfall == ()
