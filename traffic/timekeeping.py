"""Asks the harness for the time over the connection that carries the records: thoroughly at first, then every second."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import gevent.event

from traffic import frames
from traffic.clock import HarnessClock
from traffic.recorder import Recorder

FIRST_ROUNDS = 16
ROUNDS = 4
GAP_S = 0.005
EVERY_S = 1.0
PATIENCE_S = 1.0
DEAF_S = 10.0
"""A harness that told no time for so long is gone, even where the network did not say so."""


class NoTime(Exception):
    """The harness did not say what time it is."""


class Timekeeper:
    """Keeps `clock` right, and records `clock_offset_s`: by how much it may be wrong, as drill.measure adds to brackets.

    Each sample is taken just before new exchanges, when the bound is widest, so it holds for all the time since the last.
    """

    def __init__(self, clock: HarnessClock, recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder
        self._answered = gevent.event.Event()
        recorder.on(frames.Pong, self._hear)

    def first(self) -> None:
        """Find out the time and set the clock; blocks this greenlet for about a tenth of a second. Raises NoTime."""
        if not sum(self._round() for _ in range(FIRST_ROUNDS)):
            raise NoTime("the harness does not tell the time")
        self._clock.set()
        self.sample()

    def keep(self, on_deaf: Callable[[], None]) -> None:
        """Find out again every second, for ever; `on_deaf` is called when there was no answer for long."""
        deaf_s = 0.0
        while True:
            gevent.sleep(EVERY_S)
            self.sample()
            if sum(self._round() for _ in range(ROUNDS)):
                deaf_s = 0.0
            else:
                deaf_s += EVERY_S + ROUNDS * PATIENCE_S
            self._clock.steer()
            if deaf_s >= DEAF_S:
                on_deaf()
                return

    def sample(self) -> None:
        """Record how wrong the clock may be."""
        self._recorder.sample("clock_offset_s", f"locust-{self._recorder.worker}", self._clock.uncertainty_s())

    def _round(self) -> bool:
        self._answered.clear()
        self._recorder.say(lambda: frames.Ping(self._clock.read()))
        answered = bool(self._answered.wait(PATIENCE_S))
        gevent.sleep(GAP_S)
        return answered

    def _hear(self, pong: frames.Pong) -> None:
        self._clock.exchanged(pong.sent_ns, pong.received_ns, pong.answered_ns, self._clock.read())
        self._answered.set()
