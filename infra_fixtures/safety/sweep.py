"""Find and end every process of a run, however it was started, and remove the run's directories.

A process belongs to a run when its environment carries the run id, or it works in, or was started with, the run's work
directory (PostgreSQL overwrites its environment for its process title, but keeps its working directory).
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil

from infra_fixtures.data_plane.aurora.shared_memory import release_shared_memory
from infra_fixtures.safety.lease import WORK_PREFIX, work_dirs
from infra_fixtures.site import RUN_ID_VARIABLE


def processes_of(run_id: str, work_dir: Path | None = None) -> list[psutil.Process]:
    """Every live process of the run, this one and its parents excepted."""
    own = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if _belongs(process, run_id, work_dir):
                found.append(process)
        except psutil.Error:
            continue
    return found


def sweep(run_id: str, work_dir: Path | None = None, *, grace_s: float = 2.0) -> int:
    """Kill what is left of a run and remove its directories; returns how many processes were killed.

    They are stopped first, so that none starts another meanwhile, then killed; a second look finds what slipped through.
    """
    killed = 0
    for _ in range(3):
        left = processes_of(run_id, work_dir)
        if not left:
            break
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in left:
                try:
                    process.send_signal(number)
                except psutil.Error:
                    continue
        _gone, alive = psutil.wait_procs(left, timeout=grace_s)
        killed += len(left) - len(alive)
    left_over = set(work_dirs(run_id))
    if work_dir is not None and WORK_PREFIX in work_dir.name:
        left_over.add(work_dir)
    for directory in left_over:
        _remove(directory)
    return killed


def _remove(directory: Path) -> None:
    """With it goes the shared memory of the killed PostgreSQL in it: only its lock file tells whose that is."""
    for lock_file in directory.glob("*/*/postmaster.pid"):
        release_shared_memory(lock_file.parent)
    shutil.rmtree(directory, ignore_errors=True)


def _belongs(process: psutil.Process, run_id: str, work_dir: Path | None) -> bool:
    try:
        if process.environ().get(RUN_ID_VARIABLE) == run_id:
            return True
    except psutil.Error:
        pass
    if work_dir is None:
        return False
    return Path(process.cwd()).is_relative_to(work_dir) or any(str(work_dir) in word for word in process.cmdline())
