"""What a drill drives and whom it tells: small protocols, so that it knows no AWS, no Locust and no pytest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from drill.history import Mark, Sample


@dataclass(frozen=True, slots=True)
class Effect:
    """A fault that took effect within [began_ns, effective_ns] of time.monotonic_ns().

    `earlier` are those before it. `quiet_since` is asked for the time.monotonic_ns() since which its schedule does nothing
    more; None while more of it is to begin, or to end by itself.
    """

    fault: str
    subject: str
    began_ns: int
    effective_ns: int
    earlier: tuple[Effect, ...] = ()
    quiet_since: Callable[[], int | None] = field(default=lambda: 0, compare=False)


class Tell(Protocol):
    """Notes what happens to the system (`Recorder.mark`)."""

    def __call__(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Now, or at time.monotonic_ns()."""


class Recorder(Protocol):
    """Where probes put what they see; times are time.monotonic_ns()."""

    def mark(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Note an event."""

    def sample(self, metric: str, subject: str, value: float, at_ns: int | None = None) -> None:
        """Note a gauge's value."""


class Probe(Protocol):
    """One question asked all through the drill, in a thread of its own."""

    @property
    def name(self) -> str:
        """What it is called in marks."""

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until `stop` is set; raising means the probe died, and its proof with it."""


class Traffic(Protocol):
    """Load on the system under test, and what its clients saw."""

    def start(self) -> None:
        """Return when requests flow."""

    def stop(self) -> None:
        """Let what is in flight end, then stop."""

    def ops(self) -> pl.DataFrame:
        """Every op so far, in `OPS_SCHEMA`."""

    def samples(self) -> Sequence[Sample]:
        """Gauges of the load generator itself (dispatch_lag_s)."""

    def marks(self) -> Sequence[Mark]:
        """What its clients noticed (a new DNS answer)."""

    @property
    def failure(self) -> str | None:
        """Why it died, if it did."""


class Observer(Protocol):
    """Who is shown the drill while it runs."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment."""

    def mark(self, event: str, detail: str) -> None:
        """Something happened."""
