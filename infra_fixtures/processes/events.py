"""What a part of the data plane did and when: one JSON line an event, in `<work_dir>/<name>.events.jsonl`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec


class Event(msgspec.Struct, frozen=True):
    """`at_ns` is time.monotonic_ns(); `subject` says to whom it happened, `detail` what there is to know about it."""

    at_ns: int
    event: str
    subject: str = ""
    detail: str = ""


class EventLog:
    """Appends events to a file; every line is written at once, so that a reader never sees half of one."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def record(self, event: str, subject: str = "", detail: str = "") -> Event:
        """Write one event, stamped now."""
        entry = Event(time.monotonic_ns(), event, subject, detail)
        os.write(self._file, msgspec.json.encode(entry) + b"\n")
        return entry

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_events(path: Path) -> list[Event]:
    """The events in a log so far; none where the file does not exist."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Event) for line in path.read_bytes().splitlines() if line]
