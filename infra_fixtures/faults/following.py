"""What a fault set going is followed by a thread of its own while the fault stands, and to its end once it is healed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from drill.parts import Tell
from infra_fixtures.faults.fault import Followed

EVERY_S = 0.5
HEAL_WAITS_S = 2.0
"""How long healing waits for a look that hangs: the fault is to end whatever can be seen of it."""


class Following:
    """Looks every EVERY_S seconds until healing begins. A look that raises is told as `fault.incomplete`, once."""

    def __init__(self, followed: Followed, subject: str, tell: Tell) -> None:
        self._followed = followed
        self._subject = subject
        self._tell = tell
        self._healing = threading.Event()
        self._failed_ns: int | None = None
        self._thread = threading.Thread(target=self._watch, name=f"following {subject}", daemon=True)
        self._thread.start()

    @property
    def quiet_ns(self) -> int | None:
        """As what is followed says; nothing is awaited of what cannot be followed any more."""
        return self._failed_ns or self._followed.quiet_ns

    def heal_begins(self) -> None:
        """One last look: what ended before now was not ended by the drill."""
        self._healing.set()
        self._thread.join(HEAL_WAITS_S)
        if not self._thread.is_alive():
            with self._telling_failure():
                self._followed.look(self._tell)

    def conclude(self) -> None:
        """The fault was healed, or should have been."""
        with self._telling_failure():
            self._followed.conclude(self._tell)

    def _watch(self) -> None:
        with self._telling_failure():
            while not self._healing.wait(EVERY_S):
                self._followed.look(self._tell)

    @contextlib.contextmanager
    def _telling_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as e:
            self._failed_ns = time.monotonic_ns()
            self._tell("fault.incomplete", self._subject, f"could not be followed: {type(e).__name__}: {e}")
