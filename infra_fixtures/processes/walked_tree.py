"""The processes of a run where no cgroup can hold them: the tree is walked.

Parents are stopped before their children are counted, so that nothing is born meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TREE_VARIABLE = "DRILL_TREE"
"""Environment variable that names the tree a process belongs to; children inherit it."""


class Identity(NamedTuple):
    """One process: its id, which another may have after its end, and when it started, in clock ticks since boot."""

    pid: int
    started: int


class WalkedTree:
    """A tree found by parentage and by the environment variable that its members inherit."""

    def __init__(self, name: str, roots: dict[str, set[Identity]] | None = None) -> None:
        self._name = name
        self._roots = {} if roots is None else roots
        self._killed: set[Identity] = set()

    @property
    def name(self) -> str:
        """The tree's path."""
        return self._name

    def child(self, name: str) -> WalkedTree:
        """A tree inside this one."""
        return WalkedTree(f"{self._name}/{name}", self._roots)

    def entry_fd(self) -> int | None:
        """A walked tree needs no entering."""
        return None

    def adopt(self, pid: int) -> None:
        """Remember a process as one of the tree's roots; one that has ended already has none of its own left."""
        found = _look(pid)
        if found is not None:
            self._roots.setdefault(self._name, set()).add(found.identity)

    def kill(self) -> None:
        """SIGKILL all that are found, stopped first so that none starts another."""
        self._killed = self._stopped()
        _signal(self._killed, signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP all."""
        self._stopped()

    def thaw(self) -> None:
        """SIGCONT all."""
        _signal(self._members(), signal.SIGCONT)

    def alive(self) -> bool:
        """Whether any process of the tree lives (a zombie does not).

        A killed one that is not yet gone may have lost its parent, and so what shows that it belongs here.
        """
        return any(_lives(one) for one in self._killed) or bool(self._members())

    def remove(self) -> None:
        """Forget the roots."""
        for name in [n for n in self._roots if self._covers(n)]:
            del self._roots[name]

    def _covers(self, name: str) -> bool:
        return name == self._name or name.startswith(f"{self._name}/")

    def _stopped(self) -> set[Identity]:
        stopped: set[Identity] = set()
        while True:
            fresh = self._members() - stopped
            if not fresh:
                return stopped
            _signal(fresh, signal.SIGSTOP)
            stopped |= fresh

    def _members(self) -> set[Identity]:
        roots = {one for name, ones in self._roots.items() if self._covers(name) for one in ones}
        live: dict[int, Look] = {}
        members: set[int] = set()
        own = os.getpid()
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit() or int(entry.name) == own:
                continue
            pid = int(entry.name)
            found = _look(pid)
            if found is None or not found.lives:
                continue
            live[pid] = found
            if found.identity in roots or self._tagged(pid):
                members.add(pid)
        grown = True
        while grown:
            children = {pid for pid, found in live.items() if found.parent in members} - members
            members |= children
            grown = bool(children)
        return {live[pid].identity for pid in members}

    def _tagged(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        mark = f"{TREE_VARIABLE}=".encode()
        for word in environment.split(b"\0"):
            if word.startswith(mark):
                return self._covers(word[len(mark) :].decode(errors="replace"))
        return False


@dataclass(frozen=True, slots=True)
class Look:
    """What the kernel says of a process; a zombie does not live."""

    identity: Identity
    parent: int
    lives: bool


def _look(pid: int) -> Look | None:
    """None where there is no such process (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return Look(Identity(pid, int(fields[19])), int(fields[1]), fields[0] not in "ZX")


def _lives(one: Identity) -> bool:
    found = _look(one.pid)
    return found is not None and found.lives and found.identity == one


def _signal(processes: Iterable[Identity], number: signal.Signals) -> None:
    # parents mostly have the lower pids: they are stopped first and cannot answer the death of a child
    for pid, _started in sorted(processes):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
