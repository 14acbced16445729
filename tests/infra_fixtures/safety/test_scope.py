"""When a scope is open, and until when."""

from __future__ import annotations

import datetime as dt

import pytest

from infra_fixtures.safety.scope import Between, Scope, Weekly


def utc(text: str) -> dt.datetime:
    """A moment in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


NIGHT = Weekly(("mon", "fri"), dt.time(22), dt.time(2))
ONCE = Between(utc("2026-12-01 02:00"), utc("2026-12-01 04:00"))


@pytest.mark.parametrize(
    ("at", "closes"),
    [
        ("2026-11-30 21:59", None),
        ("2026-11-30 22:00", "2026-12-01 02:00"),
        ("2026-12-01 01:59", "2026-12-01 02:00"),
        ("2026-12-01 02:00", None),
        ("2026-12-01 23:00", None),
        ("2026-12-05 01:00", "2026-12-05 02:00"),
    ],
)
def test_hours_of_a_week_may_pass_midnight(at: str, closes: str | None) -> None:
    """Monday 22:00 to 02:00 is open on Monday night and on Tuesday's first two hours, and not on Tuesday night."""
    assert NIGHT.closes(utc(at)) == (utc(closes) if closes else None)


def test_a_moment_is_compared_whatever_its_zone() -> None:
    """An hour after midnight in Berlin in winter is midnight in UTC: the windows are UTC's."""
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert NIGHT.closes(dt.datetime(2026, 12, 1, 3, 30, tzinfo=berlin)) is None
    assert NIGHT.closes(dt.datetime(2026, 12, 1, 2, 30, tzinfo=berlin)) == utc("2026-12-01 02:00")


def test_any_window_opens_a_scope_and_the_last_one_closes_it() -> None:
    """Two that overlap: it closes with the later one; without any it is always open and never closes."""
    scope = Scope(frozenset(), frozenset(), windows=(NIGHT, ONCE))
    assert scope.is_open(utc("2026-12-01 03:00"))
    assert not scope.is_open(utc("2026-12-01 04:00"))
    late = Between(utc("2026-12-01 01:00"), utc("2026-12-01 06:00"))
    assert Scope(frozenset(), frozenset(), windows=(NIGHT, late)).closes(utc("2026-12-01 01:30")) == late.ends
    always = Scope(frozenset(), frozenset())
    assert always.is_open(utc("2026-12-01 04:00"))
    assert always.closes(utc("2026-12-01 04:00")) is None


def test_a_window_without_a_zone_or_with_a_strange_day_is_refused() -> None:
    """Both are told in words that say what to write."""
    with pytest.raises(ValueError, match="no time zone"):
        Between(dt.datetime(2026, 12, 1), dt.datetime(2026, 12, 2))
    with pytest.raises(ValueError, match="montag is no day of the week: write mon"):
        Weekly(("montag",), dt.time(1), dt.time(2))


def test_a_weekly_window_goes_by_the_clock_on_the_wall() -> None:
    """06:00 in Vienna is 05:00 UTC in winter and 04:00 in summer; over midnight it ends on the next day there."""
    saturdays = Weekly(("sat",), dt.time(6), dt.time(9), "Europe/Vienna")
    assert saturdays.closes(dt.datetime(2026, 12, 5, 5, 30, tzinfo=dt.UTC)) == dt.datetime(
        2026, 12, 5, 8, tzinfo=dt.UTC
    )
    assert saturdays.closes(dt.datetime(2026, 12, 5, 4, 30, tzinfo=dt.UTC)) is None
    assert saturdays.closes(dt.datetime(2026, 7, 4, 4, 30, tzinfo=dt.UTC)) == dt.datetime(2026, 7, 4, 7, tzinfo=dt.UTC)
    nights = Weekly(("sat",), dt.time(22), dt.time(2), "America/Los_Angeles")
    assert nights.closes(dt.datetime(2026, 12, 6, 9, tzinfo=dt.UTC)) == dt.datetime(2026, 12, 6, 10, tzinfo=dt.UTC)
    assert str(nights) == "sat 22:00 to 02:00 America/Los_Angeles"


@pytest.mark.parametrize("zone", ["", "Vienna", "/etc/passwd", "../UTC"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """By name."""
    with pytest.raises(ValueError, match="is no time zone: write UTC, or such as Europe/Vienna"):
        Weekly(("sat",), dt.time(6), dt.time(9), zone)
