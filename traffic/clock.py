"""A worker's estimate of the harness's clock, with a proven bound of its error.

One exchange: the worker sends at its own time t1, the harness hears it at t2 and answers at t3 of its own, the worker
hears that at t4. A message cannot arrive before it was sent, so (harness - worker) lies in [t3 - t4, t2 - t1], whatever
the network does: its width is the round trip, of which the shortest of several tells most (F. Cristian, Probabilistic
Clock Synchronization, 1989; NTP's on-wire protocol, RFC 5905 section 8). Intervals of successive exchanges are
intersected (K. Marzullo), older ones widened by what two clocks may drift apart meanwhile.

The clock is set once, before anything is recorded, and afterwards only slewed: it never goes backwards.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

NS = 1_000_000_000

DRIFT = 600e-6
"""Two clocks drift apart by at most this, seconds a second: Linux slews CLOCK_MONOTONIC by 500 ppm at most (adjtimex(2)),
crystals are within 100 ppm."""
SLEW = 500e-6
"""By how much the estimate may run fast or slow to mend itself."""
SKEW_VARIABLE = "DRILL_CLOCK_SKEW"
"""For tests: "3.5" or "3.5,200e-6" puts this process's own clock source so many seconds (and seconds a second) off."""

Clock = Callable[[], int]
"""Says ns since some moment of its own."""


def own_clock() -> Clock:
    """This process's monotonic clock, ns; off by what `SKEW_VARIABLE` says."""
    skew = os.environ.get(SKEW_VARIABLE)
    return skewed(*map(float, skew.split(","))) if skew else time.monotonic_ns


def skewed(offset_s: float, drift: float = 0.0) -> Clock:
    """A monotonic clock that is `offset_s` off now and runs fast by `drift` seconds a second."""
    start, offset_ns = time.monotonic_ns(), round(offset_s * NS)

    def read() -> int:
        now = time.monotonic_ns()
        return now + offset_ns + int((now - start) * drift)

    return read


class HarnessClock:
    """`now_ns` is the harness's time, ns since t0, as far as `read` (this process's own clock) and exchanges tell."""

    def __init__(self, read: Clock) -> None:
        self.read = read
        self._bounds: tuple[int, int, int] | None = None
        """Least and greatest offset (harness - own), ns, and when by the own clock that was known."""
        self._anchor_ns = read()
        self._base_ns = 0
        self._left_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since t0 by the harness's clock, estimated; it never goes backwards once it was set."""
        return self._at(self.read())

    def exchanged(self, sent_ns: int, received_ns: int, answered_ns: int, arrived_ns: int) -> None:
        """Learn from one exchange: sent and arrived by the own clock, received and answered by the harness's."""
        # the upper bound was true when the Ping was sent, and is aged to when the answer arrived, as the lower one is
        least, greatest = answered_ns - arrived_ns, received_ns - sent_ns + _drift_ns(arrived_ns - sent_ns)
        held = self._held_at(arrived_ns)
        if held is not None and max(least, held[0]) <= min(greatest, held[1]):
            least, greatest = max(least, held[0]), min(greatest, held[1])
        # else nothing was known, or a clock jumped (a suspended machine): then only the newest exchange is true
        self._bounds = least, greatest, arrived_ns

    def set(self) -> None:
        """Jump to the middle of what the exchanges allow; only before anything is recorded. Needs an exchange."""
        own = self.read()
        self._anchor_ns, self._base_ns, self._left_ns = own, own + self._middle(own), 0

    def steer(self) -> None:
        """Run a little fast or slow from now on, towards the middle of what the exchanges allow."""
        own = self.read()
        now = self._at(own)
        self._anchor_ns, self._base_ns, self._left_ns = own, now, own + self._middle(own) - now

    def uncertainty_s(self) -> float:
        """`now_ns` is wrong by at most this at this moment; infinite before the first exchange."""
        own = self.read()
        held = self._held_at(own)
        if held is None:
            return float("inf")
        applied = self._at(own) - own
        return max(applied - held[0], held[1] - applied) / NS

    def _at(self, own_ns: int) -> int:
        passed = own_ns - self._anchor_ns
        left = self._left_ns
        if not left:
            return self._base_ns + passed
        mended = min(abs(left), int(passed * SLEW))
        return self._base_ns + passed + (mended if left > 0 else -mended)

    def _held_at(self, own_ns: int) -> tuple[int, int] | None:
        if self._bounds is None:
            return None
        least, greatest, known_ns = self._bounds
        drifted = _drift_ns(own_ns - known_ns)
        return least - drifted, greatest + drifted

    def _middle(self, own_ns: int) -> int:
        held = self._held_at(own_ns)
        if held is None:
            raise RuntimeError("no exchange has told the harness's time yet")
        return (held[0] + held[1]) // 2


def _drift_ns(passed_ns: int) -> int:
    return int(passed_ns * DRIFT) + 1
