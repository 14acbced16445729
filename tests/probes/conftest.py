"""One system for all probes, and a recorder that keeps what they say."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from drill.parts import Probe
from drill.wait import wait_until
from tests.real_world import shared_system, system

__all__ = ["shared_system", "system"]


@dataclass(frozen=True, slots=True)
class Said:
    """A mark or a sample, when it was recorded and, in `at_ns`, for when."""

    what: str
    subject: str
    detail: str
    value: float
    at_ns: int


@dataclass(slots=True)
class Notebook:
    """Keeps marks and samples; times are time.monotonic_ns()."""

    said: list[Said] = field(default_factory=list)

    def mark(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Keep a mark."""
        self.said.append(Said(event, subject, detail, 0.0, at_ns or time.monotonic_ns()))

    def sample(self, metric: str, subject: str, value: float, at_ns: int | None = None) -> None:
        """Keep a sample."""
        self.said.append(Said(metric, subject, "", value, at_ns or time.monotonic_ns()))

    def found(self, what: str, *, subject: str = "", detail: str = "") -> list[Said]:
        """All that was said of it; `detail` is what the detail begins with."""
        return [
            s for s in list(self.said) if s.what == what and subject in ("", s.subject) and s.detail.startswith(detail)
        ]

    def await_said(self, what: str, *, subject: str = "", detail: str = "", timeout_s: float = 10.0) -> Said:
        """The last of it, once there is one."""
        found = wait_until(
            lambda: self.found(what, subject=subject, detail=detail),
            what=f"{what} {subject} {detail} among {[(s.what, s.subject, s.detail) for s in self.said[-10:]]}",
            timeout_s=timeout_s,
        )
        return found[-1]

    def await_value(
        self,
        above: float | None = None,
        below: float | None = None,
        timeout_s: float = 10.0,
        what: str = "replication_lag_s",
    ) -> Said:
        """The last sample of `what`, once its value is in these bounds."""

        def inside() -> list[Said]:
            return [
                s
                for s in self.found(what)[-1:]
                if (above is None or s.value > above) and (below is None or s.value < below)
            ]

        return wait_until(inside, what=f"{what} above {above}, below {below}", timeout_s=timeout_s)[0]


def let_pass(seconds: float) -> None:
    """Let the system go on for so long."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, what="time to pass", timeout_s=seconds + 1)


@contextlib.contextmanager
def watching(probe: Probe) -> Iterator[Notebook]:
    """The probe looks, in a thread as in a drill; it must not die, and must end when it is told to."""
    notebook, stop, died = Notebook(), threading.Event(), list[BaseException]()

    def watch() -> None:
        try:
            probe.watch(notebook, stop)
        except BaseException as e:
            died.append(e)

    thread = threading.Thread(target=watch, name=probe.name, daemon=True)
    thread.start()
    try:
        yield notebook
    finally:
        stop.set()
        thread.join(timeout=3)
    assert not died, died
    assert not thread.is_alive(), f"{probe.name} does not stop"
