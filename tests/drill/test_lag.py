"""Replication lag: what a distribution may be taken from, and what the engine claims beside it."""

from __future__ import annotations

import math

import pytest

from drill.evidence import judge
from drill.history import NS, History, Mark, Sample
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of


def with_lags(*values: float, subject: str = "aurora", metric: str = "replication_lag_s", more: bool = True) -> History:
    """The plain history with these heartbeats, evenly over the baseline; `more` keeps those of the other store."""
    step = 8 * NS // (len(values) + 1)
    own = [Sample((i + 1) * step, metric, subject, v) for i, v in enumerate(values)]
    rest = [s for s in samples_of(Script()) if more and (s.subject, s.metric) != (subject, metric)]
    return altered(history(), samples=History.of(samples=[*own, *rest]).samples)


def test_the_quantiles_are_ranks() -> None:
    """Of 1 to 1,000 ms: p50, p95, p99 and max by rank, bounded by ranks of the binomial spread."""
    found = measure(with_lags(*(i / 1000 for i in range(1000, 0, -1))), LIMITS)
    assert [found[f"lag_{w}_s"].value for w in ("p50", "p95", "p99", "max")] == [0.5, 0.95, 0.99, 1.0]
    p99 = found["lag_p99_s"]
    assert p99.lower is not None
    assert p99.upper is not None
    assert 0.97 < p99.lower < 0.99 < p99.upper <= 1.0


def test_few_heartbeats_bound_it_by_the_worst() -> None:
    """Of ten heartbeats the upper bound of p99 is the worst one."""
    found = judge(with_lags(*[0.1] * 9, 1.2), LIMITS)
    assert found.measurements["lag_p99_s"].value == 1.2
    assert found.verdict is Verdict.MISSED or found.verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "0 samples"),
        ([0.1] * 4, "4 samples"),
        ([0.1] * 50 + [math.nan], "not a number"),
        ([0.1] * 50 + [-0.2], "negative"),
    ],
)
def test_what_cannot_be_trusted_is_unproven(values: list[float], said: str) -> None:
    """None, too few, NaN, or a lag below zero: no value, the reason said, never MET."""
    found = judge(with_lags(*values), LIMITS)
    assert found.measurements["lag_p99_s"].value is None
    assert said in found.measurements["lag_p99_s"].because
    assert found.verdict is Verdict.UNPROVEN


def test_an_infinite_lag_is_missed() -> None:
    """A replica that never showed the heartbeat."""
    assert judge(with_lags(*[0.1] * 50, math.inf), LIMITS).verdict is Verdict.MISSED


def test_only_the_undisturbed_time_counts() -> None:
    """Lag while replication is cut on purpose, or after the fault, is not steady lag; the worst is shown apart."""
    whole = with_lags(*[0.1] * 40, *[2.5] * 39)
    cut = altered(whole, marks=(*(whole.marks or ()), Mark(4 * NS, "degraded.begin", "link", "replication_cut")))
    found = measure(cut, LIMITS)
    assert found["lag_p99_s"].value == 0.1
    assert found["lag_worst_s"].value == 2.5


def test_the_engine_s_claim_stands_beside_it() -> None:
    """What the engine says is shown with its difference, and not judged."""
    whole = with_lags(*[0.3] * 20, metric="engine_lag_s", subject="aurora")
    claim = judge(whole, LIMITS).measurements["engine_lag_p99_s"]
    assert (claim.value, claim.verdict) == (0.3, None)
    assert "-0.280 s" in claim.because


def test_the_bucket_s_lag_is_its_own() -> None:
    """Objects lag by themselves, and are judged only where an objective says so."""
    whole = with_lags(*[9.0] * 50, subject="s3")
    found = judge(whole, LIMITS)
    assert found.measurements["lag_p99_s"].value == 0.02
    assert found.measurements["lag_s3_p99_s"].value == 9.0
    assert found.verdict is Verdict.MET
