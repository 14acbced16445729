"""Token buckets and quotas: what usage plans and stages let through.

Source: API Gateway developer guide, "Throttle requests to your REST APIs" (token bucket: `rate` tokens a second, at most
`burst` in the bucket) and "Usage plans and API keys" (quota a day, week or month). Rates are in real seconds whatever
the layout's pace: they shape traffic, which is not sped up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

PERIODS_S = {"DAY": 86_400.0, "WEEK": 7 * 86_400.0, "MONTH": 30 * 86_400.0}


@dataclass(frozen=True, slots=True)
class Limit:
    """`rate` requests a second in the long run, `burst` at once; None: unlimited."""

    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """`limit` requests a `period` (DAY, WEEK, MONTH)."""

    limit: int
    period: str


class TokenBucket:
    """One bucket."""

    __slots__ = ("_at_s", "_now", "_tokens", "limit")

    def __init__(self, limit: Limit, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._tokens = float(limit.burst or 0)
        self._at_s = now()

    def take(self) -> bool:
        """Take a token if there is one."""
        rate, burst = self.limit.rate, self.limit.burst
        if rate is None or burst is None:
            return True
        now_s = self._now()
        self._tokens = min(float(burst), self._tokens + (now_s - self._at_s) * rate)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Throttles:
    """The buckets and counts of one gateway; they outlive a reconcile, and start afresh where their limit changed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: dict[Hashable, TokenBucket] = {}
        self._counts: dict[Hashable, tuple[float, int]] = {}

    def admit(self, who: Hashable, limit: Limit) -> bool:
        """Whether `who` may pass under `limit` now."""
        bucket = self._buckets.get(who)
        if bucket is None or bucket.limit != limit:
            bucket = self._buckets[who] = TokenBucket(limit, self._now)
        return bucket.take()

    def count(self, who: Hashable, allowance: Allowance) -> bool:
        """Count a request of `who`; False where the period's allowance is used up."""
        period_s = PERIODS_S.get(allowance.period, PERIODS_S["DAY"])
        now_s = self._now()
        since_s, used = self._counts.get(who, (now_s, 0))
        if now_s - since_s >= period_s:
            since_s, used = now_s, 0
        if used >= allowance.limit:
            return False
        self._counts[who] = (since_s, used + 1)
        return True
