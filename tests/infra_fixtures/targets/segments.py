"""The System V shared memory of this machine (proc_sysvipc_shm): PostgreSQL holds a segment of it for as long as it runs."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

SEGMENTS = Path("/proc/sysvipc/shm")
IDENTITY, CREATOR, ATTACHED = 1, 4, 6


def segments() -> set[str]:
    """All, by number."""
    return {row[IDENTITY] for row in _rows()}


def segments_of(pids: Set[int]) -> set[str]:
    """Those in use that these processes made; one that is not in use may be of an earlier process with such a number."""
    return {row[IDENTITY] for row in _rows() if int(row[CREATOR]) in pids and row[ATTACHED] != "0"}


def _rows() -> list[list[str]]:
    return [line.split() for line in SEGMENTS.read_text().splitlines()[1:]]
