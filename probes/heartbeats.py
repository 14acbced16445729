"""Which heartbeats were sent, acknowledged and shown, and within which bounds the lag lies that this proves.

A copy that shows one heartbeat and not the next holds what was committed between the two. So its lag is at least the
age of the oldest acknowledged one that it lacks, 0 where it lacks none, and at most the age of the newest one that it
has shown, counted from when that was sent: what a probe cannot resolve is in the upper bound, not left out.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

NS = 10**9


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A heartbeat; `acked_ns` is None where no answer said that it is stored. Times are time.monotonic_ns()."""

    seq: int
    sent_ns: int
    acked_ns: int | None


class Heartbeats:
    """Heartbeats in the order of their numbers."""

    def __init__(self) -> None:
        self._unseen: deque[Heartbeat] = deque()
        self._seen_sent_ns: int | None = None

    @property
    def oldest_unseen(self) -> int | None:
        """The number of the first heartbeat that was not shown yet."""
        return self._unseen[0].seq if self._unseen else None

    def wrote(self, seq: int, sent_ns: int, acked_ns: int | None) -> None:
        """One more was sent."""
        self._unseen.append(Heartbeat(seq, sent_ns, acked_ns))

    def seen(self, up_to: int) -> None:
        """The copy shows all up to this number."""
        while self._unseen and self._unseen[0].seq <= up_to:
            self._seen_sent_ns = self._unseen.popleft().sent_ns

    def bounds(self, asked_ns: int, answered_ns: int) -> tuple[float, float]:
        """The least and the most that the lag was, in seconds, when a look between those instants showed what `seen`
        was told; the most is infinite while nothing was ever shown."""
        missing_ns = next((b.acked_ns for b in self._unseen if b.acked_ns is not None), asked_ns)
        least_s = max(asked_ns - missing_ns, 0) / NS
        if self._seen_sent_ns is None:
            return least_s, math.inf
        return least_s, (answered_ns - self._seen_sent_ns) / NS
