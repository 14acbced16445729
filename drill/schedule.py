"""The load that was intended, so that a request without a record is known to be lost or still open.

The load generator marks one schedule for each kind of request; this module is read by its processes too, so it imports
nothing heavy.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

NS = 1_000_000_000
FASTEST = 100_000
"""Requests a second; no load generator here sends more."""
MOST_LEGS = 1000
EVENT = "load.schedule"
"""The mark's event; its subject is the kind of op, its detail the schedule as JSON."""


class Leg(msgspec.Struct, frozen=True):
    """A stretch in which the rate moves evenly from `from_per_s` to `to_per_s` requests a second."""

    lasts_s: Annotated[float, msgspec.Meta(gt=0, le=10**6)]
    from_per_s: Annotated[float, msgspec.Meta(ge=0, le=FASTEST)]
    to_per_s: Annotated[float, msgspec.Meta(ge=0, le=FASTEST)]

    @property
    def requests(self) -> float:
        """How many it holds, with the fraction of the last."""
        return self.lasts_s * (self.from_per_s + self.to_per_s) / 2

    @property
    def slope(self) -> float:
        """By how much the rate grows in a second."""
        return (self.to_per_s - self.from_per_s) / self.lasts_s

    def after_s(self, requests: float) -> float:
        """When so many of its requests have passed, in seconds since its beginning.

        The root of from * t + slope * t^2 / 2 = requests, in the form that loses no digits where the slope is small.
        """
        if not requests:
            return 0.0
        return 2 * requests / (self.from_per_s + math.sqrt(max(0.0, self.from_per_s**2 + 2 * self.slope * requests)))


class Schedule(msgspec.Struct, frozen=True):
    """Requests `op` due when n + `phase` of them have passed at the load's rate, n = 0, 1, 2, ...

    From `begin_ns` (ns since the run's t0) the rate follows the legs of `ramp`, one after the other, and is `per_s` from
    their end on. Without a ramp request n is due at `begin_ns` + (n + `phase`) / `per_s` seconds.
    """

    op: str
    begin_ns: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
    per_s: Annotated[float, msgspec.Meta(gt=0, le=FASTEST)]
    phase: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    ramp: Annotated[tuple[Leg, ...], msgspec.Meta(max_length=MOST_LEGS)] = ()

    @property
    def step_ns(self) -> float:
        """The time between two requests once the ramp is over."""
        return NS / self.per_s

    def due_ns(self, n: int) -> float:
        """When request `n` is due; recorded in whole nanoseconds, cut."""
        begin_ns: float = self.begin_ns
        passed = n + self.phase
        for leg in self.ramp:
            if passed < leg.requests:
                return begin_ns + leg.after_s(passed) * NS
            passed -= leg.requests
            begin_ns += leg.lasts_s * NS
        return begin_ns + passed * self.step_ns

    def detail(self) -> str:
        """As the mark tells it."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, detail: str) -> Schedule:
        """From a mark's detail; raises msgspec.MsgspecError."""
        return msgspec.json.decode(detail, type=cls)
