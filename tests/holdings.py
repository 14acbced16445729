"""What this process, and what its runs left on this machine, hold: descriptors, threads, memory, shared memory, cgroups, files.

Taken twice and compared, it shows what was not given back. Garbage is collected first: what only a cycle kept alive comes
back by itself, sooner or later. Descriptors are therefore counted before as well, since they may run out sooner.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

SHARED_MEMORY = Path("/dev/shm")
CGROUPS = Path("/sys/fs/cgroup")
SEGMENTS = Path("/proc/sysvipc/shm")
CREATOR, ATTACHED = 4, 6
"""Columns of SEGMENTS (proc_sysvipc_shm, ipc/shm.c in Linux)."""


class Holdings(msgspec.Struct, frozen=True):
    """Counts, but for `rss_kib`; of the machine's things only those that nobody alive uses, or that carry a run's name."""

    descriptors: Mapping[str, int]
    """By kind: socket, pipe, anon_inode (epoll, eventfd), file."""
    descriptors_before_collecting: int
    threads: int
    children: int
    """Processes that this one started itself, those included that it did not wait for."""
    objects: int
    """That the garbage collector knows."""
    blocks: int
    """Of memory that Python has handed out: where these stay as many while `rss_kib` grows, it is the allocators that keep it."""
    rss_kib: int
    segments: int
    """System V shared memory that no process has attached, made by one that is gone."""
    shared_memory: int
    """Files in /dev/shm that no process has open or mapped."""
    cgroups: int
    directories: int
    """In the system's temporary directory."""

    @classmethod
    def of(cls, name: str) -> Holdings:
        """What is held now; cgroups and directories are those with `name` in theirs."""
        before = sum(_descriptors().values())
        gc.collect()
        process = psutil.Process()
        return cls(
            descriptors=dict(_descriptors()),
            descriptors_before_collecting=before,
            threads=threading.active_count(),
            children=len(process.children()),
            objects=len(gc.get_objects()),
            blocks=sys.getallocatedblocks(),
            rss_kib=process.memory_info().rss // 1024,
            segments=sum(1 for _ in _orphaned_segments()),
            shared_memory=len(_unused_shared_memory()),
            cgroups=sum(1 for _ in CGROUPS.glob(f"**/*{name}*")),
            directories=sum(1 for path in Path(tempfile.gettempdir()).glob(f"*{name}*") if path.is_dir()),
        )

    def counts(self) -> dict[str, int]:
        """All that must not grow, by name."""
        whole = {
            "descriptors": sum(self.descriptors.values()),
            "descriptors before collecting": self.descriptors_before_collecting,
        }
        others = ("threads", "children", "segments", "shared_memory", "cgroups", "directories")
        return {**whole, **{other.replace("_", " "): getattr(self, other) for other in others}}


def _descriptors() -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 the listing's own descriptor is gone when it is looked at
        with contextlib.suppress(FileNotFoundError):
            kind, named, _ = str(Path(f"/proc/self/fd/{entry}").readlink()).partition(":")
            found[kind if named and not kind.startswith("/") else "file"] += 1
    return found


def _orphaned_segments() -> Iterator[str]:
    for line in SEGMENTS.read_text().splitlines()[1:]:
        columns = line.split()
        if columns[ATTACHED] == "0" and not psutil.pid_exists(int(columns[CREATOR])):
            yield columns[1]


def _unused_shared_memory() -> set[str]:
    there = {str(path) for path in SHARED_MEMORY.iterdir()} if SHARED_MEMORY.is_dir() else set()
    for pid in psutil.pids() if there else ():
        with contextlib.suppress(OSError):
            there -= {line.split(maxsplit=5)[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
            there -= {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    return there
