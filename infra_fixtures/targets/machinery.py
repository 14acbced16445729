"""The processes of a run on this machine: which there are, and which of them died unasked.

The harness asks those that it started itself. What these start, they write down (`<work_dir>/*.events.jsonl`): that
outlives whoever wrote it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from infra_fixtures.processes.endings import how_ended
from infra_fixtures.processes.events import Event, read_events
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.own_processes import Started, failure
from infra_fixtures.targets.world import Death

STARTED, DIED = "process.started", "process.died"


class LocalMachinery:
    """`started` are the harness's own children; threads may share it."""

    def __init__(self, layout: RunLayout, started: Sequence[Started]) -> None:
        self._layout = layout
        self._started = tuple(started)
        self._deaths: dict[str, Death] = {}
        self._told: set[int] = set()
        self._lock = threading.Lock()

    def deaths(self) -> tuple[Death, ...]:
        """Every unasked death so far, in the order in which they were noticed."""
        with self._lock:
            for death in self._found():
                self._deaths.setdefault(f"{death.process} {death.how}", death)
            return tuple(self._deaths.values())

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Process ids by part; what a part started belongs to it, unless it is a part of its own."""
        parts = {s.popen.pid: s.name for s in self._started}
        for event in self._events():
            if event.event == STARTED:
                parts[int(event.detail.removeprefix("pid "))] = event.subject
        parents = _parents()
        found: dict[str, list[int]] = {}
        for pid in parents:
            ancestor = pid
            while ancestor and ancestor not in parts:
                ancestor = parents.get(ancestor, 0)
            if ancestor:
                found.setdefault(parts[ancestor], []).append(pid)
        return found

    def _found(self) -> Iterator[Death]:
        now_ns = time.monotonic_ns()
        for started in self._started:
            status = started.popen.poll()
            if status is not None and started.popen.pid not in self._told:
                self._told.add(started.popen.pid)  # once: its log's last line may be another one later
                yield Death(now_ns, started.name, how_ended(started.popen.pid, status, started.log))
        for event in self._events():
            if event.event == DIED:
                yield Death(event.at_ns, event.subject, event.detail)
        if self._layout.emulators and (what := failure(self._layout)):
            yield Death(now_ns, "control plane", what)

    def _events(self) -> Iterator[Event]:
        for path in sorted(Path(self._layout.work_dir).glob("*.events.jsonl")):
            yield from (e for e in read_events(path) if e.event in (STARTED, DIED))


def _parents() -> dict[int, int]:
    """Every process of this machine and its parent."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                status = Path(f"/proc/{entry.name}/stat").read_text(errors="replace")  # a name may be any bytes
            except OSError:
                continue
            found[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    return found
