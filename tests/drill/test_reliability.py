"""What so many successes prove: against tables, against exact fractions, and by how often the bound holds."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.reliability import at_least, at_most, trials_needed

CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
confidences = st.sampled_from(CONFIDENCES)


@st.composite
def counts(draw: st.DrawFn, most: int = 400) -> tuple[int, int]:
    """(successes, trials)."""
    trials = draw(st.integers(1, most))
    return draw(st.integers(0, trials)), trials


def exact_tail(successes: int, trials: int, share: Fraction) -> Fraction:
    """P(at least so many successes), without any rounding."""
    terms = (math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, trials + 1))
    return sum(terms, Fraction(0))


@pytest.mark.parametrize(
    ("reliability", "confidence", "failures", "trials"),
    [
        (0.95, 0.95, 0, 59), (0.95, 0.95, 1, 93), (0.95, 0.95, 2, 124), (0.95, 0.95, 3, 153),
        (0.90, 0.90, 0, 22), (0.90, 0.95, 0, 29), (0.90, 0.95, 1, 46), (0.90, 0.95, 2, 61),
        (0.99, 0.95, 0, 299), (0.99, 0.95, 1, 473), (0.99, 0.90, 0, 230), (0.95, 0.90, 0, 45),
        (0.99, 0.99, 0, 459), (0.95, 0.99, 0, 90), (0.90, 0.99, 0, 44), (0.999, 0.95, 0, 2995),
        (0.50, 0.75, 0, 2),
    ],
)  # fmt: skip
def test_the_sample_sizes_of_the_tables(reliability: float, confidence: float, failures: int, trials: int) -> None:
    """The numbers every reliability handbook prints, 59 for 95/95 first of all."""
    assert trials_needed(reliability, confidence, failures) == trials


@pytest.mark.parametrize(
    ("successes", "trials", "lower"),
    [(10, 10, 0.7411), (9, 10, 0.6058), (19, 20, 0.7839), (95, 100, 0.8977), (1, 1, 0.05), (5, 5, 0.5493), (0, 5, 0.0)],
)
def test_the_bounds_of_the_tables(successes: int, trials: int, lower: float) -> None:
    """One-sided 95 % Clopper-Pearson bounds as printed, and their mirror image from above."""
    assert at_least(successes, trials, 0.95) == pytest.approx(lower, abs=5e-5)
    assert at_most(trials - successes, trials, 0.95) == pytest.approx(1 - lower, abs=5e-5)


@given(counts(most=60), confidences)
def test_the_bound_solves_the_exact_equation(count: tuple[int, int], confidence: float) -> None:
    """At the bound so many successes are just as rare as 1 - confidence, by exact arithmetic; above it they are not."""
    successes, trials = count
    lower = at_least(successes, trials, confidence)
    if successes == 0:
        assert lower == 0.0
        return
    alpha = 1 - confidence
    assert float(exact_tail(successes, trials, Fraction(lower))) == pytest.approx(alpha, rel=1e-6)
    assert exact_tail(successes, trials, Fraction(min(1.0, lower + 1e-6))) > alpha


@pytest.mark.parametrize("trials", [1, 2, 5, 12, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_bound_holds_as_often_as_it_says(trials: int, confidence: float) -> None:
    """Whatever the true share, the chance that the bound claims more than it is at most 1 - confidence (exact sums)."""
    bounds = [at_least(k, trials, confidence) for k in range(trials + 1)]
    for percent in range(1, 100):
        share = percent / 100
        wrong = sum(
            math.comb(trials, k) * share**k * (1 - share) ** (trials - k)
            for k, bound in enumerate(bounds)
            if bound > share
        )
        assert wrong <= 1 - confidence + 1e-9, (share, wrong)


@given(counts(), confidences)
def test_more_failures_never_show_more(count: tuple[int, int], confidence: float) -> None:
    """One success turned into a failure, or one failure added, never raises a bound; one success added never lowers it."""
    successes, trials = count
    lower, upper = at_least(successes, trials, confidence), at_most(successes, trials, confidence)
    assert 0.0 <= lower <= successes / trials <= upper <= 1.0
    assert at_least(successes, trials + 1, confidence) <= lower
    assert at_most(successes, trials + 1, confidence) <= upper + 1e-12
    assert at_least(successes + 1, trials + 1, confidence) >= lower
    if successes:
        assert at_least(successes - 1, trials, confidence) <= lower


@given(st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]), confidences, st.integers(0, 5))
def test_as_many_trials_as_needed_and_no_more(reliability: float, confidence: float, failures: int) -> None:
    """That many trials show it, one fewer does not: the two functions are each other's inverse."""
    n = trials_needed(reliability, confidence, failures)
    assert at_least(n - failures, n, confidence) >= reliability - 1e-9
    if n - 1 > failures:
        assert at_least(n - 1 - failures, n - 1, confidence) < reliability


@pytest.mark.parametrize(
    "ask",
    [
        lambda: at_least(3, 2, 0.95), lambda: at_least(-1, 2, 0.95), lambda: at_least(1, 2, 1.0),
        lambda: trials_needed(1.0, 0.95), lambda: trials_needed(0.0, 0.95), lambda: trials_needed(0.9, 0.0),
        lambda: trials_needed(1 - 1e-15, 0.95),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(ask: object) -> None:
    """More successes than trials, certainty, and a reliability that no number of trials shows are errors."""
    assert callable(ask)
    with pytest.raises(ValueError, match=r"cannot be|never be shown|more trials"):
        ask()
