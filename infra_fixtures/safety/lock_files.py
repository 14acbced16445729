"""Locked files, and directories of them: who holds one, and which directory nobody else can hold anything in.

The kernel frees a file's lock (flock) when its holder dies, and it holds between network namespaces. Whoever may open a
file may lock it, and whoever owns a directory may put another file in its place. So what must hold whatever other users do
lies in a directory of one's own, and of what they hold is said who does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import stat
from pathlib import Path

from drill.unusable import UnusableInput

FOR_ALL, FOR_ME = 0o1777, 0o700
READABLE = 0o444


def directory_for_all(path: Path) -> int:
    """The directory, open, made for everybody where it is not there. A symbolic link in its place is refused."""
    room = _opened(path)
    found = os.fstat(room)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != FOR_ALL:
        os.fchmod(room, FOR_ALL)
    return room


def own_directory(beside: Path) -> int:
    """The directory `beside`-UID, open, in which this user alone can make or lock anything; UnusableInput where it is
    another's."""
    path = beside.with_name(f"{beside.name}-{os.geteuid()}")
    room = _opened(path)
    found = os.fstat(room)
    if found.st_uid != os.geteuid():
        os.close(room)
        raise UnusableInput(
            f"{path} was made by {named(found.st_uid)} and is the place of {named(os.geteuid())}: let them or root remove it"
        )
    if stat.S_IMODE(found.st_mode) != FOR_ME:
        os.fchmod(room, FOR_ME)
    return room


def lock(room: int, name: str) -> int | None:
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


def holder_of(room: int, name: str) -> str:
    """Who holds a file, in words: a process and its user; or what stands in the file's place, and whose it is."""
    try:
        found = os.stat(name, dir_fd=room, follow_symlinks=False)
    except FileNotFoundError:
        return f"{name} by nobody any more"
    if not stat.S_ISREG(found.st_mode):
        return f"{name} is no plain file, and was made by {named(found.st_uid)}"
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()  # 1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF
            if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == found.st_ino:
                return f"{name} by {_process(int(words[4]))}"
    return f"{name} by a process that cannot be seen from here"


def named(uid: int) -> str:
    """A user as a person knows it."""
    with contextlib.suppress(KeyError):
        return f"user {pwd.getpwuid(uid).pw_name} ({uid})"
    return f"user {uid}"


def _process(pid: int) -> str:
    try:
        return f"process {pid} of {named(Path(f'/proc/{pid}').stat().st_uid)}"
    except OSError:
        return f"process {pid}"


def _opened(path: Path) -> int:
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as e:
        whose = ""
        with contextlib.suppress(OSError):
            whose = f", made by {named(path.lstat().st_uid)}"
        raise UnusableInput(f"drills cannot take turns in {path} ({e.strerror}{whose}): remove what is there") from e


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
