"""Token buckets and quotas, under a clock of the test's own."""

from __future__ import annotations

from infra_fixtures.data_plane.api_gateway.throttle import Allowance, Limit, Throttles


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def test_a_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    """Of ten at once the burst of five passes; later the rate's share, and never above the burst."""
    clock = Clock()
    throttles = Throttles(clock)
    limit = Limit(rate=8.0, burst=5)
    assert [throttles.admit("key", limit) for _ in range(10)].count(True) == 5
    clock.now_s += 0.375
    assert [throttles.admit("key", limit) for _ in range(10)].count(True) == 3
    clock.now_s += 60.0
    assert [throttles.admit("key", limit) for _ in range(10)].count(True) == 5


def test_keys_do_not_share_a_bucket() -> None:
    """One key's use takes nothing from another's."""
    throttles = Throttles(Clock())
    limit = Limit(rate=1.0, burst=1)
    assert throttles.admit("one", limit)
    assert not throttles.admit("one", limit)
    assert throttles.admit("two", limit)


def test_a_changed_limit_starts_afresh() -> None:
    """A raised limit holds at once; no limit lets everything through."""
    throttles = Throttles(Clock())
    assert not throttles.admit("key", Limit(rate=0.0, burst=0))
    assert throttles.admit("key", Limit(rate=1.0, burst=1))
    assert all(throttles.admit("key", Limit()) for _ in range(100))


def test_a_quota_counts_to_the_end_of_its_period() -> None:
    """Two a day are two a day, and the next day two again."""
    clock = Clock()
    throttles = Throttles(clock)
    two_a_day = Allowance(2, "DAY")
    assert [throttles.count("key", two_a_day) for _ in range(3)] == [True, True, False]
    clock.now_s += 86_400.0
    assert throttles.count("key", two_a_day)
