"""Figures in words: the same everywhere, and never more certain than they are."""

from __future__ import annotations

import math

import pytest

from reports.figure import Figure
from reports.wording import bracket, count, label, limit, seconds, title, value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "?"),
        (math.nan, "?"),
        (math.inf, "never"),
        (0, "0 s"),
        (0.0042, "4.2 ms"),
        (0.14, "140 ms"),
        (0.9996, "1.00 s"),
        (8.421, "8.42 s"),
        (9.999, "10.0 s"),
        (95.31, "95.3 s"),
        (599.99, "10 min 00 s"),
        (750, "12 min 30 s"),
        (-0.5, "-500 ms"),
    ],
)
def test_seconds_read_as_a_person_would_say_them(given: float | None, said: str) -> None:
    """Three digits that mean something, and a boundary never reads as 1000 ms or 10.00 s."""
    assert seconds(given) == said


def test_bounds_share_the_unit_of_their_figure_or_say_their_own() -> None:
    """8.42 s [8.40, 8.45], but 0 s [0 s, 50 ms]; an exact figure has none; an open end is told."""
    assert bracket(Figure(8.42, 8.4, 8.45, "s")) == "[8.40, 8.45]"
    assert bracket(Figure(0, 0, 0.05, "s")) == "[0 s, 50 ms]"
    assert bracket(Figure(4, 4, 4, "writes")) == ""
    assert bracket(Figure(8.42, 8.4, None, "s")) == "[8.40 s, ?]"
    assert bracket(Figure(math.inf, 61.0, math.inf, "s")) == "[61.0 s, never]"


def test_units_limits_and_names() -> None:
    """Counts have thousands marked, shares are percents, identifiers become words."""
    assert count(12345) == "12,345"
    assert value(Figure(0.9912, unit="share")) == "99.12 %"
    assert limit(Figure(objective=15, unit="s")) == "≤ 15.0 s"
    assert limit(Figure(unit="s")) == ""
    assert title("dns_answer.flips") == "DNS answer flips"
    assert title("") == ""
    assert label("rto_s") == "RTO"
    assert label("rto_read_s") == "RTO read"
