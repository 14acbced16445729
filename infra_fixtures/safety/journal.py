"""The undo journal: how to heal a fault is on disk, fsynced, before the fault is injected.

One JSON-lines file a run, with a header for each system that it stands up. A run holds a lock on its journal while it
lives; a journal that nobody holds and that does not say that the run has ended is an unfinished one, and no new run
starts beside it until it is healed.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.safety.undo import Undo, Unreadable

JOURNAL = "journal.jsonl"


class Header(msgspec.Struct, frozen=True, tag="header"):
    """Before a system stands up: what any process needs to undo this run's faults. Never a credential.

    `options` are the target's own; `temp_dir` is where the run's work directory lies, which is named after the run.
    `records` is the run's own directory, where the journal lies.
    """

    run_id: str
    target: str
    pace: float
    options: dict[str, Any] = {}
    temp_dir: str = ""
    records: str = ""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A fault is about to be injected, and this is how it is undone, in this order."""

    entry: int
    fault: str
    undo: tuple[Undo, ...]


class Learned(msgspec.Struct, frozen=True, tag="learned"):
    """More undo for an entry, known only after a call of its injection; done before what was known at first."""

    entry: int
    undo: tuple[Undo, ...]


class Healed(msgspec.Struct, frozen=True, tag="healed"):
    """The fault of that entry is undone; `by` is who did it."""

    entry: int
    by: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """All that the run made and that was its own is gone; `by` is who saw to it."""

    by: str


Line = Header | Begun | Learned | Healed | Ended


class Journal:
    """The journal of a live run; `close` releases its lock."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / JOURNAL
        self._file = os.fdopen(_opened(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0)
        self._writing = threading.Lock()
        fcntl.flock(self._file, fcntl.LOCK_EX)
        lines = list(_lines(self.path))
        self._next = 1 + max((line.entry for line in lines if isinstance(line, Begun)), default=0)
        if self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
            self._file.write(b"\n")  # what a crash tore must not swallow the next line

    def stands_up(self, header: Header) -> None:
        """Note that a system is about to be made; on return it is on disk."""
        self._append(header)

    def begin(self, fault: str, undo: Sequence[Undo]) -> int:
        """Write down how `fault` is undone and return the entry's number; on return it is on disk."""
        with self._writing:
            entry, self._next = self._next, self._next + 1
        self._append(Begun(entry, fault, tuple(undo)))
        return entry

    def learned(self, entry: int, undo: Sequence[Undo]) -> None:
        """Add undo to an entry, to be done before what it has; on return it is on disk."""
        self._append(Learned(entry, tuple(undo)))

    def healed(self, entry: int, by: str = "harness") -> None:
        """Note that the entry's fault is undone."""
        self._append(Healed(entry, by))

    def ended(self, by: str) -> None:
        """Note that nothing is left of the run."""
        self._append(Ended(by))

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
        with self._writing:
            self._file.write(msgspec.json.encode(line) + b"\n")
            os.fsync(self._file.fileno())


def open_entries(path: Path) -> list[Begun]:
    """Faults of the journal at `path` that are not yet undone, newest first."""
    begun: dict[int, Begun] = {}
    healed: set[int] = set()
    for line in _lines(path):
        match line:
            case Begun() if line.entry in begun:  # twice the same number: neither is lost
                known = begun[line.entry]
                begun[line.entry] = msgspec.structs.replace(line, undo=(*line.undo, *known.undo))
            case Begun():
                begun[line.entry] = line
            case Learned() if line.entry not in healed:
                known = begun.get(line.entry) or Begun(
                    line.entry, "a fault whose first line is lost", (Unreadable(""),)
                )
                begun[line.entry] = msgspec.structs.replace(known, undo=(*line.undo, *known.undo))
            case Healed():
                begun.pop(line.entry, None)
                healed.add(line.entry)
    return sorted(begun.values(), key=lambda b: -b.entry)


def header(path: Path) -> Header | None:
    """The header of the system that was stood up last; None where none was."""
    return next((line for line in reversed(list(_lines(path))) if isinstance(line, Header)), None)


def has_ended(path: Path) -> bool:
    """Whether no fault is open and all of the run is gone, the system that it stood up last included."""
    stands = False
    for line in _lines(path):
        match line:
            case Header():
                stands = True
            case Ended():
                stands = False
    return not stands and not open_entries(path)


def is_held(path: Path) -> bool:
    """Whether a live run holds the journal at `path`; UnusableInput where it is no file of this user's to read."""
    descriptor = _opened(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _opened(path: Path, flags: int) -> int:
    """A descriptor of a journal: never of what would make whoever opens it wait, or lies elsewhere."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except PermissionError as e:
        raise UnusableInput(
            f"{path} belongs to {path.owner()}: run `python -m infra_fixtures heal` as that user, or give another --runs-dir"
        ) from e
    except OSError as e:
        raise UnusableInput(f"{path} is not a journal ({e.strerror}): move it away") from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnusableInput(f"{path} is not a journal (it is no file): move it away")
    return descriptor


def _lines(path: Path) -> Iterator[Line]:
    """The journal's lines.

    One torn by a crash was never acted upon (it is fsynced first), and nothing but healing can come after it: it is left
    out. Any other that cannot be read, or that another version wrote, is kept as a fault that this version cannot undo.
    UnusableInput for a line of another kind, and where it is no journal of this user's.
    """
    if not path.exists():
        return
    with os.fdopen(_opened(path, os.O_RDONLY), "rb") as file:
        content = file.read().splitlines()
    decoder, torn = msgspec.json.Decoder(Line), 0
    for number, raw in enumerate(content, 1):
        try:
            line = decoder.decode(raw)
        except msgspec.ValidationError as e:
            line = _of_another_version(raw, f"{path}, line {number}: {e}")
        except (msgspec.DecodeError, UnicodeDecodeError):
            torn = torn or number * bool(raw.strip(b"\0 \t"))
            continue
        if torn and not isinstance(line, Healed | Ended):
            yield Begun(-torn, f"line {torn}, which cannot be read", (Unreadable(""),))
            torn = 0
        yield line


def _of_another_version(raw: bytes, where: str) -> Line:
    try:
        told = msgspec.json.decode(raw, type=_AnyBegun)
    except msgspec.ValidationError as e:
        raise UnusableInput(f"{where}: another version of the harness wrote it; heal with that one") from e
    return Begun(told.entry, told.fault, (Unreadable(raw.decode(errors="replace")),))


class _AnyBegun(msgspec.Struct, tag="begun"):
    entry: int
    fault: str
