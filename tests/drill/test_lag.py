"""Replication lag: what a distribution may be taken from, and what the engine claims beside it."""

from __future__ import annotations

import math

import polars as pl
import pytest

from drill.evidence import judge
from drill.history import NS, History, Mark, Sample
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of

UPPER = "replication_lag_upper_s"
SPACING_S = 8 / 1001
"""Between two of 1,000 heartbeats."""


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
    assert 0.97 < p99.lower < 0.99 < p99.upper <= 1.0 + SPACING_S


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


def with_bounds(values: list[float], most: list[float]) -> History:
    """The plain history with these heartbeats, each known to be no more than its `most`."""
    whole = with_lags(*values)
    step = 8 * NS // (len(values) + 1)
    told = History.of(samples=[Sample((i + 1) * step, UPPER, "aurora", m) for i, m in enumerate(most)])
    assert whole.samples is not None
    assert told.samples is not None
    return altered(whole, samples=pl.concat([whole.samples, told.samples]))


def test_a_lag_of_nothing_is_known_no_better_than_the_probe_saw() -> None:
    """The standby showed all at every look: 0, and at most what the slowest look could not tell."""
    found = measure(with_bounds([0.0] * 50, [0.012] * 49 + [0.047]), LIMITS)
    assert [(found[f"lag_{w}_s"].value, found[f"lag_{w}_s"].upper) for w in ("p50", "p99")] == [(0, 0.012), (0, 0.047)]
    assert found["lag_worst_s"].upper == 0.047


def test_a_probe_that_does_not_say_how_finely_it_saw_saw_no_finer_than_it_looked() -> None:
    """Sixty looks in eight seconds: a lag of 0 may have been as long as the time between two of them."""
    p99 = measure(with_lags(*[0.0] * 60), LIMITS)["lag_p99_s"]
    assert p99.value == 0.0
    assert p99.upper == pytest.approx(8 / 61)


def test_sparse_looks_do_not_show_what_was_between_them() -> None:
    """Five looks that each saw a lag of almost nothing: in the seconds between them the copy may have fallen behind."""
    at = (0.1, 2.0, 4.0, 6.0, 7.9)
    whole = with_lags(*[0.0] * 5, more=False)
    told = [Sample(round(t * NS), m, "aurora", v) for t in at for m, v in (("replication_lag_s", 0.0), (UPPER, 0.11))]
    found = measure(altered(whole, samples=History.of(samples=told).samples), LIMITS)
    assert found["lag_p99_s"].upper == pytest.approx(2.11)


def test_looks_recorded_twice_are_one_look() -> None:
    """The same heartbeat seen by two probes leaves no gap of nothing between them."""
    whole = history()
    assert whole.samples is not None
    twice = altered(whole, samples=pl.concat([whole.samples, whole.samples]))
    assert judge(twice, LIMITS).verdict is Verdict.MET


def test_what_the_probe_could_not_see_is_not_met() -> None:
    """Shown late, as far as anybody can tell: a limit between what is proven and what may be is not proven met."""
    found = judge(with_bounds([0.0] * 50, [0.01] * 40 + [(LIMITS.lag_p99_s or 0.0) + 0.1] * 10), LIMITS)
    assert found.measurements["lag_p99_s"].verdict is Verdict.UNPROVEN
    endless = measure(with_bounds([0.0] * 50, [0.01] * 49 + [math.inf]), LIMITS)
    assert endless["lag_p99_s"].upper == math.inf


def test_a_bound_that_is_no_number_bounds_nothing() -> None:
    """NaN beside a heartbeat: the spacing of looks counts instead; a bound below its value is raised to it."""
    found = measure(with_bounds([0.0] * 60, [math.nan] * 60), LIMITS)
    assert found["lag_max_s"].upper == pytest.approx(8 / 61)
    assert measure(with_bounds([0.5] * 60, [0.1] * 60), LIMITS)["lag_max_s"].upper == 0.5


@pytest.mark.parametrize("claim", ["engine_lag", "cloudwatch_lag"])
def test_a_claim_stands_beside_it_with_its_difference(claim: str) -> None:
    """What is claimed, and how much more that is than heartbeats say, with the bounds of those; neither is judged."""
    found = judge(with_lags(*[0.3] * 20, metric=f"{claim}_s"), LIMITS).measurements
    assert (found[f"{claim}_p99_s"].value, found[f"{claim}_p99_s"].verdict) == (0.3, None)
    off = found[f"{claim}_difference_s"]
    assert [off.value, off.lower, off.upper] == pytest.approx([0.28, 0.18, 0.28])
    assert off.verdict is None
    assert "claims 0.300 s, heartbeats say 0.020 s and at most 0.120 s" in off.because


def test_one_claim_is_a_claim() -> None:
    """CloudWatch speaks once a minute; a claim of less than nothing is shown as it was made."""
    found = measure(with_lags(-0.25, metric="cloudwatch_lag_s"), LIMITS)
    assert found["cloudwatch_lag_p99_s"].value == -0.25
    assert found["cloudwatch_lag_difference_s"].value == pytest.approx(-0.27)


@pytest.mark.parametrize(("values", "said"), [([], "0 samples"), ([0.1, math.nan], "not a number")])
def test_a_claim_not_made_is_not_measured(values: list[float], said: str) -> None:
    """Without a claim there is no difference, the reason is said, and the verdict does not hang on it."""
    found = judge(with_lags(*values, metric="engine_lag_s"), LIMITS)
    for name in ("engine_lag_p99_s", "engine_lag_difference_s"):
        assert found.measurements[name].value is None
        assert said in found.measurements[name].because
    assert found.verdict is Verdict.MET


def test_a_claim_is_compared_with_nothing_where_no_heartbeat_came() -> None:
    """The claim is shown, the difference is not guessed."""
    whole = with_lags(*[0.3] * 20, metric="engine_lag_s")
    assert whole.samples is not None
    alone = altered(whole, samples=whole.samples.filter(pl.col("metric") != "replication_lag_s"))
    found = measure(alone, LIMITS)
    assert found["engine_lag_p99_s"].value == 0.3
    assert found["engine_lag_difference_s"].value is None
    assert "heartbeats tell no lag" in found["engine_lag_difference_s"].because


def test_the_bucket_s_lag_is_its_own() -> None:
    """Objects lag by themselves, and are judged only where an objective says so."""
    whole = with_lags(*[9.0] * 50, subject="s3")
    found = judge(whole, LIMITS)
    assert found.measurements["lag_p99_s"].value == 0.02
    assert found.measurements["lag_s3_p99_s"].value == 9.0
    assert found.verdict is Verdict.MET
