"""The shared memory of this machine: PostgreSQL holds a System V segment (proc_sysvipc_shm) for as long as it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Set
from pathlib import Path

SEGMENTS = Path("/proc/sysvipc/shm")
IDENTITY, CREATOR, ATTACHED = 1, 4, 6


def segments() -> set[str]:
    """All System V segments, by number."""
    return {row[IDENTITY] for row in _rows()}


def segments_of(pids: Set[int]) -> set[str]:
    """Those in use that these processes made; one that is not in use may be of an earlier process with such a number."""
    return {row[IDENTITY] for row in _rows() if int(row[CREATOR]) in pids and row[ATTACHED] != "0"}


def shared_files_of(pids: Set[int]) -> set[Path]:
    """The files in /dev/shm that these processes have mapped."""
    found: set[Path] = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended meanwhile
            names = [line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
            found |= {Path(name) for name in names if name.startswith("/dev/shm/")}
    return found


def _rows() -> list[list[str]]:
    return [line.split() for line in SEGMENTS.read_text().splitlines()[1:]]
