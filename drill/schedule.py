"""The load that was intended, so that a request without a record is known to be lost or still open.

The load generator marks one schedule for each kind of request; this module is read by its processes too, so it imports
nothing heavy.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

NS = 1_000_000_000
FASTEST = 100_000
"""Requests a second; no load generator here sends more."""
EVENT = "load.schedule"
"""The mark's event; its subject is the kind of op, its detail the schedule as JSON."""


class Schedule(msgspec.Struct, frozen=True):
    """Requests `op` due at `begin_ns` + (n + `phase`) / `per_s` seconds, n = 0, 1, 2, ..., in ns since the run's t0."""

    op: str
    begin_ns: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
    per_s: Annotated[float, msgspec.Meta(gt=0, le=FASTEST)]
    phase: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0

    @property
    def step_ns(self) -> float:
        """The time between two requests."""
        return NS / self.per_s

    def due_ns(self, n: int) -> float:
        """When request `n` is due; recorded in whole nanoseconds, cut."""
        return self.begin_ns + (n + self.phase) * self.step_ns

    def detail(self) -> str:
        """As the mark tells it."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, detail: str) -> Schedule:
        """From a mark's detail; raises msgspec.MsgspecError."""
        return msgspec.json.decode(detail, type=cls)
