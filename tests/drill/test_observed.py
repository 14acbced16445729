"""Outages that were only observed: their length has bounds that hold the truth, and recovery from no fault is claimed."""

from __future__ import annotations

import math

import pytest

from drill.evidence import judge
from drill.history import NS, History, Mark
from drill.measure import measure
from drill.measure.observed import EVENT
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history


def observed(script: Script) -> History:
    """The same history as somebody saw who had broken nothing."""
    whole = history(script)
    kept = [m for m in whole.marks or () if not m.event.startswith(("fault.", "steady."))]
    begun = next(m.at_ns for m in kept if m.event == "drill.baseline")
    return altered(whole, marks=tuple(sorted([*kept, Mark(begun + NS, EVENT, "system", "")], key=lambda m: m.at_ns)))


@pytest.mark.parametrize("down_s", [0.5, 2.0, 4.0, 7.5])
def test_the_length_of_an_outage_is_within_its_bounds(down_s: float) -> None:
    """From when it was felt to when service was up again, to a request; the sum of all is the downtime."""
    found = measure(observed(Script(down_s=down_s)), LIMITS)
    outage = found["outage_s"]
    assert outage.lower is not None
    assert outage.upper is not None
    assert outage.lower <= down_s <= outage.upper < down_s + 0.2
    assert found["outages"].value == 1
    assert found["downtime_s"].value == pytest.approx(down_s, abs=0.1)
    assert found["rto_s"].value is None


def test_the_longest_of_several_is_told() -> None:
    """And all of them are counted, and summed."""
    found = measure(observed(Script(down_s=1.0, flaps=((12.0, 15.0),))), LIMITS)
    assert found["outages"].value == 2
    assert found["outage_s"].value == pytest.approx(3.0, abs=0.1)
    assert found["downtime_s"].value == pytest.approx(4.0, abs=0.2)


def test_it_never_proves_recovery() -> None:
    """However short the outage: when the fault began is not known, so the verdict is UNPROVEN and says why."""
    found = judge(observed(Script(down_s=1.0)), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert any("when the fault began is not known" in doubt for doubt in found.doubts)
    assert found.measurements["outage_s"].verdict is Verdict.MET
    assert found.measurements["rto_s"].verdict is Verdict.UNPROVEN
    assert found.measurements["rpo_s"].verdict is Verdict.UNPROVEN


def test_an_outage_that_is_surely_too_long_is_missed() -> None:
    """No recovery is quicker than the outage that was felt."""
    found = judge(observed(Script(down_s=LIMITS.rto_s + 1.0, end_s=30.0)), LIMITS)
    assert found.measurements["outage_s"].verdict is Verdict.MISSED
    assert found.verdict is Verdict.MISSED


def test_one_that_goes_on_has_no_end() -> None:
    """Its length is at least what was seen of it."""
    outage = measure(observed(Script(down_s=60.0)), LIMITS)["outage_s"]
    assert outage.value == math.inf
    assert outage.lower == pytest.approx(12.0, abs=0.3)


def test_where_nothing_was_seen_nothing_is_proved() -> None:
    """Absence is no evidence: there is no length of an outage, and the doubt says that none came."""
    found = judge(observed(Script(down_s=0.0)), LIMITS)
    assert found.measurements["outage_s"].value is None
    assert found.measurements["outages"].value == 0
    assert any("no outage was seen while it was observed" in doubt for doubt in found.doubts)
