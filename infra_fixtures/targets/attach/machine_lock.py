"""One game day at a time on an attached system: a file of this machine that its run locks, with the run's name in it.

The kernel frees the lock when the run dies. The name stays then, and keeps others out until that run is healed: what it broke
may still be broken. Runs of other machines are not kept out, as a system that is only described has no place for a lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from drill.unusable import UnusableInput

DIRECTORY = Path("/tmp/failover-drill-attached")  # not TMPDIR: each user may have another
FOR_ALL = 0o1777


@contextlib.contextmanager
def held_here(system: str, run_id: str, is_over: Callable[[], bool], directory: Path = DIRECTORY) -> Iterator[None]:
    """Hold the system of that name; raises UnusableInput where another run has it, or died without being healed."""
    with _locked(system, directory) as file:
        left_by = _name_in(file)
        if left_by and left_by != run_id:
            raise UnusableInput(
                f"the run {left_by} died while it drilled this system, and may have left it broken: run `python -m "
                f"infra_fixtures heal` with its --runs-dir, or remove {directory / _file_of(system)} once all is well"
            )
        _write(file, run_id)
        try:
            yield
        finally:
            if is_over():
                _write(file, "")


@contextlib.contextmanager
def taken_over_here(system: str, run_id: str, directory: Path = DIRECTORY) -> Iterator[None]:
    """Hold it in a dead run's place; once what is done in here succeeded it is free."""
    with _locked(system, directory) as file:
        yield
        if _name_in(file) == run_id:
            _write(file, "")


@contextlib.contextmanager
def _locked(system: str, directory: Path) -> Iterator[int]:
    try:
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            directory.chmod(FOR_ALL)
        file = os.open(directory / _file_of(system), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise UnusableInput(
            f"the lock of this system in {directory} cannot be had ({e.strerror}): run as the user who drilled it before, or "
            "remove what is there"
        ) from e
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise UnusableInput(f"{directory / _file_of(system)} is no file: remove it")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnusableInput(
                f"the run {_name_in(file) or 'of somebody'} drills this system: wait until it has ended"
            ) from None
        yield file
    finally:
        os.close(file)


def _file_of(system: str) -> str:
    return hashlib.sha256(system.rstrip("/").lower().encode()).hexdigest()[:32]


def _name_in(file: int) -> str:
    return os.pread(file, 200, 0).decode(errors="replace").strip()


def _write(file: int, name: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, name.encode(), 0)
    os.fsync(file)
