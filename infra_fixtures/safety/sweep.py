"""Find and end every process of a run, however it was started, and remove the run's directories.

A process belongs to a run when its environment carries the run's id, or its cgroup is the run's, or it is a PostgreSQL
server on one of the run's data directories (PostgreSQL overwrites its environment for its process title); and so does what
such a process started, and whoever is in its session. One that merely looks into the run's directory does not.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

from infra_fixtures.processes.cgroup_tree import CGROUP_PREFIX
from infra_fixtures.processes.shared_memory import release_shared_memory
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.lease import WORK_PREFIX, work_dirs

ROUNDS = 3
SERVER, DATA_DIRECTORY = "postgres", "aurora"
"""PostgreSQL's server by its executable, and the name of its data directories, where it works in."""


class ProcessesLeft(Exception):
    """Processes of a run live on although they were killed; the message names them."""


def processes_of(run_id: str, *directories: Path) -> list[psutil.Process]:
    """Every live process of the run, this one and its parents excepted; `directories` are its work directories."""
    own = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    live = {p.pid: p for p in psutil.process_iter() if p.pid not in own and not _is_gone(p)}
    found = {pid for pid in live if _belongs(pid, run_id, directories)}
    kin = {pid: _kin(pid) for pid in live.keys() - found}
    grown = True
    while grown:
        more = {pid for pid, ancestors in kin.items() if pid not in found and ancestors & found}
        found |= more
        grown = bool(more)
    return [live[pid] for pid in sorted(found)]


def sweep(run_id: str, *directories: Path, grace_s: float = 2.0) -> int:
    """Kill what is left of a run and remove its directories; returns how many processes were killed.

    They are stopped first, so that none starts another meanwhile, then killed; a second look finds what slipped through.
    Raises ProcessesLeft, with the directories as they were, where some live on.
    """
    killed = 0
    left = set(processes_of(run_id, *directories))
    for _ in range(ROUNDS):
        if not left:
            break
        _signal(left, signal.SIGSTOP)
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=grace_s)
        # One that lives on may have lost its kin, and so what shows that it belongs here.
        alive = {process for process in left if process.is_running() and not _is_gone(process)}
        killed += len(left) - len(alive)
        left = alive | set(processes_of(run_id, *directories))
    if left:
        named = ", ".join(_named(process) for process in sorted(left, key=lambda p: p.pid))
        raise ProcessesLeft(f"these processes do not end, end them by hand: {named}")
    for directory in {*work_dirs(run_id), *(d for d in directories if WORK_PREFIX in d.name)}:
        _remove(directory)
    return killed


def _named(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.name()}, {process.status()}, of {process.username()})"
    except psutil.Error:
        return str(process.pid)


def _remove(directory: Path) -> None:
    """With it goes the shared memory of the killed PostgreSQL in it: only its lock file tells whose that is."""
    for lock_file in directory.glob("*/*/postmaster.pid"):
        release_shared_memory(lock_file.parent)
    shutil.rmtree(directory, ignore_errors=True)


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def _is_gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _belongs(pid: int, run_id: str, directories: Collection[Path]) -> bool:
    at = Path("/proc", str(pid))
    try:
        if f"{RUN_ID_VARIABLE}={run_id}".encode() in (at / "environ").read_bytes().split(b"\0"):
            return True
    except OSError:
        pass
    try:
        groups = (at / "cgroup").read_text().splitlines()
        if any(f"{CGROUP_PREFIX}{run_id}" in line.rpartition(":")[2].split("/") for line in groups):
            return True
        return bool(directories) and _serves(at, directories)
    except OSError:
        return False


def _serves(at: Path, directories: Collection[Path]) -> bool:
    """Whether it is a PostgreSQL server that works in a data directory of the run."""
    if (at / "exe").readlink().name.removesuffix(" (deleted)") != SERVER:
        return False
    place = (at / "cwd").readlink()
    return any(map(place.is_relative_to, directories)) and place.name.removesuffix(" (deleted)") == DATA_DIRECTORY


def _kin(pid: int) -> set[int]:
    """Its parent and the leader of its session."""
    try:
        parent, _group, session = map(
            int, Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1:4]
        )
    except OSError:
        return set()
    return {parent, session}
