"""Writes acknowledged before they were durable: told apart from what replication lag costs."""

from __future__ import annotations

import pytest

from drill.evidence import judge
from drill.history import NS, History, Sample
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of

LOST = 5


def told(whole: History, upper_s: float) -> History:
    """The history with heartbeats that bound what the copy may have lacked, until the fault."""
    beats = samples_of(Script())
    uppers = [
        Sample(s.at_ns, "replication_lag_upper_s", s.subject, upper_s) for s in beats if s.metric == "replication_lag_s"
    ]
    return altered(whole, samples=History.of(samples=[*beats, *uppers]).samples)


def test_what_lag_explains_is_data_loss() -> None:
    """The copy was proved to hold nothing of the last half second: what is lost there is RPO."""
    found = measure(told(history(lost=LOST), 0.5), LIMITS)
    assert found["early_acks"].value == 0
    assert found["rpo_s"].value == pytest.approx(0.13, abs=0.05)


def test_what_lag_cannot_explain_is_a_finding_of_its_own() -> None:
    """The copy had shown a heartbeat sent after all the lost writes were acknowledged: MISSED, and no part of the RPO."""
    whole = told(history(lost=LOST), 0.001)
    assert whole.survivors is not None
    found = judge(altered(whole, survivors=whole.survivors.filter(~whole.survivors["key"].is_in([1102, 1103]))), LIMITS)
    early = found.measurements["early_acks"]
    assert early.value is not None
    assert early.value >= 2
    assert early.verdict is Verdict.MISSED
    assert found.measurements["lost_writes"].value == LOST + 2
    rpo = found.measurements["rpo_s"].value
    assert rpo is not None
    assert rpo < 0.2, "a write lost from six seconds before the fault is not replication lag"


def test_heartbeats_of_another_writer_prove_nothing_of_the_first() -> None:
    """A copy that shows heartbeats sent after the fault has them from whoever writes then."""
    whole = told(history(lost=LOST), 0.5)
    late = Sample(25 * NS, "replication_lag_upper_s", "aurora", 0.001)
    more = History.of(samples=[late]).samples
    assert whole.samples is not None
    assert more is not None
    assert measure(altered(whole, samples=whole.samples.vstack(more)), LIMITS)["early_acks"].value == 0


def test_without_bounds_nobody_can_tell() -> None:
    """Old records say nothing of what the copy held: not measured, not judged, and all of the loss is RPO."""
    found = judge(history(lost=LOST), LIMITS)
    assert found.measurements["early_acks"].value is None
    assert found.measurements["early_acks"].verdict is None
    assert found.measurements["lost_writes"].value == LOST


def test_nothing_lost_is_none_whatever_the_heartbeats_say() -> None:
    """Zero, and judged."""
    found = judge(history(), LIMITS)
    assert (found.measurements["early_acks"].value, found.measurements["early_acks"].verdict) == (0, Verdict.MET)
