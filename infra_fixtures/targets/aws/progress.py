"""How far standing up has come, a line at a time with the time since it began: AWS takes half an hour for all of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from infra_fixtures.targets.aws.ledger import MADE, Line

REMIND_EVERY_S = 30.0


class Progress:
    """Tells of every step that ends, and at times of those that go on; threads may share it."""

    def __init__(self, tell: Callable[[str], None], every_s: float = REMIND_EVERY_S) -> None:
        self._tell = tell
        self._every_s = every_s
        self._began_s = time.monotonic()
        self._under_way: dict[str, float] = {}
        self._made = 0
        self._lock = threading.Lock()
        self._over = threading.Event()

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Remind of what goes on for as long as this lasts."""
        reminding = threading.Thread(target=self._remind, name="progress", daemon=True)
        reminding.start()
        try:
            yield
        finally:
            self._over.set()
            reminding.join()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step, which may fail."""
        began_s = time.monotonic()
        with self._lock:
            self._under_way[name] = began_s
        try:
            yield
        except BaseException:
            self.say(f"{name} failed after {time.monotonic() - began_s:.0f} s")
            raise
        else:
            self.say(f"{name}: {time.monotonic() - began_s:.0f} s")
        finally:
            with self._lock:
                self._under_way.pop(name, None)

    def made(self, line: Line) -> None:
        """Hear of a line of the ledger."""
        with self._lock:
            self._made += line.what == MADE

    def say(self, what: str) -> None:
        """A line."""
        minutes, seconds = divmod(int(time.monotonic() - self._began_s), 60)
        self._tell(f"{minutes:3d}:{seconds:02d} {what}")

    def _remind(self) -> None:
        while not self._over.wait(self._every_s):
            with self._lock:
                now_s = time.monotonic()
                waiting = ", ".join(f"{name} ({now_s - since:.0f} s)" for name, since in self._under_way.items())
                made = self._made
            self.say(f"{made} resources made so far; still at it: {waiting or 'nothing'}")
