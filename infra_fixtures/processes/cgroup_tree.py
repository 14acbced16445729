"""The processes of a run in a cgroup (v2), which holds them all and kills them in one kernel call (2-3 ms)."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

CGROUP_PREFIX = "failover-drill-"


def create_cgroup(run_id: str) -> CgroupTree | None:
    """The tree of a run; None where this process may not make one (no root, or a read-only cgroup file system)."""
    mount = _cgroup_mount()
    if mount is None:
        return None
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
    return None


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
