"""The undo journal: how to heal a fault is on disk, fsynced, before the fault is injected.

One JSON-lines file a run. A run holds a lock on its journal while it lives; a journal with open entries that nobody
holds is an unfinished one, and no new run starts beside it until it is healed.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

JOURNAL = "journal.jsonl"


class AwsCall(msgspec.Struct, frozen=True, tag="aws"):
    """An AWS API call that undoes a fault: boto3's service, region, operation (snake case) and parameters."""

    service: str
    region: str | None
    operation: str
    parameters: dict[str, Any] = {}


class PowerCall(msgspec.Struct, frozen=True, tag="power"):
    """A call of one of the target's own powers that undoes a fault: the method's name and its arguments."""

    power: str
    arguments: tuple[str | float | bool, ...] = ()


Undo = AwsCall | PowerCall


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A fault is about to be injected, and this is how it is undone, in this order."""

    entry: int
    fault: str
    undo: tuple[Undo, ...]


class Healed(msgspec.Struct, frozen=True, tag="healed"):
    """The fault of that entry is undone; `by` is who did it."""

    entry: int
    by: str


Line = Begun | Healed


class Journal:
    """The journal of a live run; `close` releases its lock."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / JOURNAL
        self._file = self.path.open("ab", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._next = 1 + max((line.entry for line in _lines(self.path)), default=0)

    def begin(self, fault: str, undo: Sequence[Undo]) -> int:
        """Write down how `fault` is undone and return the entry's number; on return it is on disk."""
        entry, self._next = self._next, self._next + 1
        self._append(Begun(entry, fault, tuple(undo)))
        return entry

    def healed(self, entry: int, by: str = "harness") -> None:
        """Note that the entry's fault is undone."""
        self._append(Healed(entry, by))

    def open_entries(self) -> list[Begun]:
        """Faults not yet undone, newest first: the order in which to undo them."""
        return open_entries(self.path)

    def lines(self) -> list[Line]:
        """All that was written, in order."""
        return list(_lines(self.path))

    def close(self) -> None:
        """Release the journal; the file stays as a record."""
        self._file.close()

    def _append(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        os.fsync(self._file.fileno())


def open_entries(path: Path) -> list[Begun]:
    """Faults of the journal at `path` that are not yet undone, newest first."""
    begun: dict[int, Begun] = {}
    for line in _lines(path):
        if isinstance(line, Begun):
            begun[line.entry] = line
        else:
            begun.pop(line.entry, None)
    return sorted(begun.values(), key=lambda b: -b.entry)


def unfinished(runs_dir: Path) -> Iterator[Path]:
    """Journals under `runs_dir` with open entries that no live run holds."""
    for path in sorted(runs_dir.glob(f"*/{JOURNAL}")):
        if open_entries(path) and not is_held(path):
            yield path


def is_held(path: Path) -> bool:
    """Whether a live run holds the journal at `path`."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _lines(path: Path) -> Iterator[Line]:
    """The journal's lines; a last line torn by a crash was never acted upon (it is fsynced first), so it is left out."""
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(Line)
    for raw in path.read_bytes().splitlines():
        try:
            yield decoder.decode(raw)
        except msgspec.DecodeError:
            continue
