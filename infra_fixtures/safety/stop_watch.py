"""Asks stop conditions beside a drill, each in a thread of its own: one that hangs keeps no other from being asked."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from drill.parts import Recorder
from infra_fixtures.safety.stop_conditions import Condition, Sight, SignalCame

MARK = "stop.condition"
BLIND_S = 30.0
"""A condition that cannot be told for so long counts as met: what should warn of harm no longer does."""


class StopWatch:
    """A probe that marks `stop.condition` once, when its condition is met; the subject is the kind, the detail why."""

    def __init__(self, condition: Condition, sight: Sight, *, blind_s: float = BLIND_S) -> None:
        self.name = f"stop condition: {condition}"
        self._condition = condition
        self._sight = sight
        self._blind_s = blind_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Ask until it is met or the drill is over."""
        told_s = time.monotonic()
        while not stop.is_set():
            try:
                why = self._condition.met(self._sight)
                told_s = time.monotonic()
            except Exception as e:  # whatever hides the answer
                blind_s = time.monotonic() - told_s
                why = ""
                if blind_s >= self._blind_s:
                    why = f"whether {self._condition} could not be told for {blind_s:.0f} s: {type(e).__name__}: {e}"
            if why:
                if not stop.is_set():
                    recorder.mark(MARK, self._condition.kind, why)
                return
            stop.wait(self._condition.every_s)


@contextlib.contextmanager
def stop_watches(conditions: Sequence[Condition], sight: Sight) -> Iterator[list[StopWatch]]:
    """A watch for each condition, to be given to a drill as probes; signals are caught for as long as this lasts.

    To be entered by the main thread, where a condition waits for a signal.
    """
    came: set[str] = set()
    seeing = dataclasses.replace(sight, signals=lambda: frozenset(came))
    before: dict[signal.Signals, Any] = {}
    try:
        for name in {c.name for c in conditions if isinstance(c, SignalCame)}:
            number = signal.Signals[name]
            before[number] = signal.signal(number, _noting(came, name))
        yield [StopWatch(condition, seeing) for condition in conditions]
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def _noting(came: set[str], name: str) -> Callable[[int, Any], None]:
    return lambda _number, _frame: came.add(name)
