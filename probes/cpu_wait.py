"""Did the run's own processes get a processor when they asked for one? What a busy machine delays is not the system's doing.

Linux counts for each thread how long it was ready and waited for a processor
(https://docs.kernel.org/scheduler/sched-stats.html, /proc/<pid>/schedstat).
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from drill.parts import Recorder
from infra_fixtures.targets.world import Machinery, World

EVERY_S = 0.5
PARTS_EVERY = 4
"""After so many looks it is asked anew which processes there are."""

Processes = Callable[[], Mapping[str, Sequence[int]]]
Thread = tuple[int, int]


def processes_of(world: World) -> Mapping[str, Sequence[int]]:
    """The processes that a target stands on here; none where it has none of its own."""
    return world.processes() if isinstance(world, Machinery) else {}


class CpuWait:
    """Samples cpu_wait_share by part: the share of the time since the last look that its most delayed thread waited, 0..1.

    A thread counts from its second look on. A wait is counted once it ends, so that one which outlasts a look is told with
    the next.
    """

    name = "cpu_wait"
    needs: ClassVar[tuple[type, ...]] = ()
    samples: ClassVar[tuple[tuple[str, str], ...]] = (("cpu_wait_share", ""),)

    def __init__(self, processes: Processes, every_s: float = EVERY_S) -> None:
        self._processes = processes
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop."""
        before: dict[Thread, int] = {}
        since_ns = time.monotonic_ns()
        looks = 0
        parts: Mapping[str, Sequence[int]] = {}
        while not stop.wait(self._every_s):
            if looks % PARTS_EVERY == 0:
                parts = self._processes()
            looks += 1
            now_ns = time.monotonic_ns()
            seen: dict[Thread, int] = {}
            for part, pids in parts.items():
                waited = {thread: ns for pid in pids for thread, ns in _waited_ns(pid)}
                longest_ns = max(
                    (ns - before[thread] for thread, ns in waited.items() if thread in before), default=None
                )
                if longest_ns is not None:
                    recorder.sample("cpu_wait_share", part, min(longest_ns / (now_ns - since_ns), 1.0), now_ns)
                seen |= waited
            before, since_ns = seen, now_ns


def _waited_ns(pid: int) -> Iterator[tuple[Thread, int]]:
    """How long each thread of a process has waited in its life; nothing of one that is gone."""
    try:
        with os.scandir(f"/proc/{pid}/task") as threads:
            for thread in threads:
                with contextlib.suppress(OSError):  # it ended meanwhile
                    yield (pid, int(thread.name)), int(Path(thread.path, "schedstat").read_text().split()[1])
    except OSError:
        return
