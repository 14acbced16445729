"""All processes that one process started, to be killed or frozen at once, however they were daemonised.

PostgreSQL's children and Lambda workers call setsid, so a process group misses them. A cgroup (v2) holds them all and
kills them in one kernel call (2-3 ms); without one (no root, or a read-only cgroup file system) the tree is walked:
parents are stopped before their children are counted, so that nothing is born meanwhile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

TREE_VARIABLE = "DRILL_TREE"
"""Environment variable that names the tree a process belongs to; children inherit it."""

CGROUP_PREFIX = "failover-drill-"


class Tree(Protocol):
    """The processes under one name, such as `us-east-1` or `us-east-1/aurora`."""

    @property
    def name(self) -> str:
        """The tree's path."""

    def child(self, name: str) -> Tree:
        """A tree inside this one."""

    def entry_fd(self) -> int | None:
        """A file descriptor to which a newborn process writes b"0" to enter; the caller closes it. None: none needed."""

    def adopt(self, pid: int) -> None:
        """Note a process that was started for this tree."""

    def kill(self) -> None:
        """SIGKILL all, at once."""

    def freeze(self) -> None:
        """Stop all without telling them."""

    def thaw(self) -> None:
        """Let them go on."""

    def alive(self) -> bool:
        """Whether any process of the tree lives."""

    def remove(self) -> None:
        """Take the (empty) tree away."""


def create_tree(run_id: str) -> Tree:
    """The tree of a run: a cgroup where this process may make one, else a walked tree."""
    mount = _cgroup_mount()
    if mount is not None:
        _prune(mount)
        path = mount / f"{CGROUP_PREFIX}{run_id}"
        with contextlib.suppress(OSError), contextlib.ExitStack() as unless_used:
            path.mkdir(exist_ok=True)
            lock_fd = _lock_shared(path)
            unless_used.callback(os.close, lock_fd)
            if (path / "cgroup.kill").exists() and os.access(path / "cgroup.procs", os.W_OK):
                tree = CgroupTree(path, run_id, lock_fd)
                _try_out(tree)
                unless_used.pop_all()
                return tree
        with contextlib.suppress(OSError):
            path.rmdir()
    return WalkedTree(run_id)


class CgroupTree:
    """A tree held by a cgroup; `lock_fd` is the lock by which other runs know that it is in use."""

    def __init__(self, path: Path, name: str, lock_fd: int | None = None) -> None:
        self._path = path
        self._name = name
        self._lock_fd = lock_fd
        path.mkdir(exist_ok=True)

    @property
    def name(self) -> str:
        """The tree's path."""
        return self._name

    def child(self, name: str) -> CgroupTree:
        """A tree inside this one."""
        return CgroupTree(self._path / name, f"{self._name}/{name}")

    def entry_fd(self) -> int | None:
        """The kernel judges a move by who opened the file, so a child that gave up root can still use it."""
        return os.open(self._path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def adopt(self, pid: int) -> None:
        """Nothing to note: the kernel knows."""

    def kill(self) -> None:
        """SIGKILL all, at once; frozen ones too."""
        (self._path / "cgroup.kill").write_text("1")

    def freeze(self) -> None:
        """Stop all without telling them."""
        (self._path / "cgroup.freeze").write_text("1")

    def thaw(self) -> None:
        """Let them go on."""
        (self._path / "cgroup.freeze").write_text("0")

    def alive(self) -> bool:
        """Whether any process of the tree lives (a zombie does not)."""
        return "populated 1" in (self._path / "cgroup.events").read_text()

    def remove(self) -> None:
        """Remove the cgroup and those inside it; one that still holds a process stays."""
        for inner in [p for p in self._path.iterdir() if p.is_dir()]:
            CgroupTree(inner, f"{self._name}/{inner.name}").remove()
        with contextlib.suppress(OSError):
            self._path.rmdir()
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


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


def _cgroup_mount() -> Path | None:
    """Where this process's own cgroup (v2) lies in the file system; None without cgroup v2."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    for line in mounts:
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            path = Path(left.split()[4] + own.removeprefix("0::").rstrip("/"))
            return path if os.access(path, os.W_OK) else None
    return None


def _lock_shared(path: Path) -> int:
    """Lock a run's cgroup for as long as this process lives: it is empty before its first process, and is still used."""
    lock_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return lock_fd


def _prune(mount: Path) -> None:
    """Remove the cgroups of runs that were killed before they could; one that is held or has a process stays."""
    for path in mount.glob(f"{CGROUP_PREFIX}*"):
        with contextlib.suppress(OSError):  # held, or another run removed it
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if "populated 0" in (path / "cgroup.events").read_text():
                    CgroupTree(path, path.name).remove()
            finally:
                os.close(lock)


def _try_out(tree: CgroupTree) -> None:
    """Move a process in, as only that shows whether it is allowed; OSError where it is not."""
    entry_fd = tree.entry_fd()
    if entry_fd is None:
        return
    try:
        pid = os.fork()
        if pid == 0:
            try:
                os.write(entry_fd, b"0")
            except OSError:
                os._exit(1)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            raise PermissionError("processes may not be moved into a cgroup here")
    finally:
        os.close(entry_fd)
