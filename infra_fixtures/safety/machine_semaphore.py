"""One drill at a time for every two cores: drills on one machine measure one after the other, as each would be the
other's outage.

A two-region system and its load keep two cores busy, and standing another up takes all that are left: on a small machine
both would find no steady state, or find one that is not the system's own. So a machine has one place for every two cores.

A place is a file that its holder locks (flock), in a directory that every user may write to: the kernel frees it when its
holder dies, and it holds between users and network namespaces, as well as between containers that mount the directory.
Two containers that share no file system cannot know of each other: each has its own target, so neither harms the other's
system, but they share the processors, and the processor wait that each drill records is all that tells. Mount
/tmp/failover-drill-turns into both, or run one after the other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until

CORES_A_DRILL = 2
LIMIT_S = 600.0
EVERY_S = 0.1
GIVE_WAY_S = 0.5
"""Whoever had a place waits so long before the next, several looks of those who wait: nobody is passed over for ever."""
DIRECTORY = Path("/tmp/failover-drill-turns")  # not TMPDIR: each user may have another
FOR_ALL = 0o1777
READABLE = 0o444


@contextlib.contextmanager
def machine_semaphore(
    on_wait: Callable[[], None], *, places: int | None = None, limit_s: float = LIMIT_S, directory: Path = DIRECTORY
) -> Iterator[None]:
    """Hold one of this machine's `places` (default: one for every two cores); `on_wait` is called once if all are taken.

    Raises UnusableInput where none becomes free within `limit_s`, or where `directory` cannot hold them.
    """
    count = places or max(1, (os.cpu_count() or CORES_A_DRILL) // CORES_A_DRILL)
    room = _room(directory)
    try:
        taken = _take(room, count)
        if taken is None:
            taken = _wait(room, directory, count, on_wait, limit_s)
    finally:
        os.close(room)
    try:
        yield
    finally:
        os.close(taken)
        time.sleep(GIVE_WAY_S)


def _room(directory: Path) -> int:
    """The directory, open; made for everybody where it is not there. A symbolic link in its place is refused."""
    try:
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
        room = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as e:
        raise UnusableInput(f"drills cannot take turns in {directory} ({e.strerror}): remove what is there") from e
    found = os.fstat(room)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != FOR_ALL:
        os.fchmod(room, FOR_ALL)
    return room


def _wait(room: int, directory: Path, count: int, on_wait: Callable[[], None], limit_s: float) -> int:
    on_wait()
    free: list[int] = []

    def look() -> bool:
        taken = _take(room, count)
        if taken is not None:
            free.append(taken)
        return bool(free)

    try:
        wait_until(look, what="this machine's turn to drill", timeout_s=limit_s, every_s=EVERY_S)
    except WaitTimeout as e:
        raise UnusableInput(
            f"other drills kept this machine for {limit_s:g} s (they lock files in {directory}): let them end, or stop "
            "them, and start again"
        ) from e
    return free[0]


def _take(room: int, count: int) -> int | None:
    for number in range(count):
        taken = _lock(room, f"place-{number}")
        if taken is not None:
            return taken
    return None


def _lock(room: int, name: str) -> int | None:
    """The file, open and locked; None where somebody else holds it."""
    place = _open(room, name)
    if place is None:
        return None
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still(room, name, place):
            return place
    except BlockingIOError:
        pass
    os.close(place)
    return None


def _open(room: int, name: str) -> int | None:
    """The place's file for reading, which is enough to lock it; None while its maker has not opened it to others.

    It is never opened with O_CREAT alone: in a sticky directory Linux refuses that for a file of another user, root's own
    attempt included (fs.protected_regular).
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(name, flags, dir_fd=room)
        with contextlib.suppress(FileExistsError):
            place = os.open(name, flags | os.O_CREAT | os.O_EXCL, READABLE, dir_fd=room)
            os.fchmod(place, READABLE)  # whatever the umask
            return place
        return os.open(name, flags, dir_fd=room)
    except PermissionError:
        return None
    except OSError as e:
        if e.errno in (errno.ELOOP, errno.ENOENT):  # a link, which nobody of ours made; or removed at this moment
            return None
        raise


def _is_still(room: int, name: str, place: int) -> bool:
    """Whether the locked file is the one that others find, and not one that was removed meanwhile."""
    try:
        found, taken = os.stat(name, dir_fd=room, follow_symlinks=False), os.fstat(place)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) == (taken.st_dev, taken.st_ino)
