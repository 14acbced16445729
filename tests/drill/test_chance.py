"""The binomial tail against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from drill.measure.chance import binomial_tail


@pytest.mark.parametrize(("n", "p"), [(1, "1/2"), (12, "1/100"), (60, "1/300"), (120, "1/100"), (120, "97/100")])
def test_equals_the_exact_sum(n: int, p: str) -> None:
    """For every k the tail is the sum of the binomial terms, reckoned with fractions."""
    exact = Fraction(p)
    terms = [comb(n, i) * exact**i * (1 - exact) ** (n - i) for i in range(n + 1)]
    for k in range(n + 2):
        assert binomial_tail(k, n, float(exact)) == pytest.approx(
            float(sum(terms[k:], Fraction(0))), rel=1e-6, abs=1e-300
        )


def test_of_millions_neither_overflows_nor_hangs() -> None:
    """Half the time a binomial of five million is above its mean; far above it is impossible."""
    assert binomial_tail(50_000, 5_000_000, 0.01) == pytest.approx(0.5, abs=0.01)
    assert binomial_tail(60_000, 5_000_000, 0.01) < 1e-300


def test_certain_and_impossible() -> None:
    """At least none is certain; more than there are, or any of what cannot happen, is impossible."""
    assert binomial_tail(0, 10, 0.5) == 1.0
    assert binomial_tail(11, 10, 0.5) == 0.0
    assert binomial_tail(1, 10, 0.0) == 0.0
    assert binomial_tail(10, 10, 1.0) == 1.0
