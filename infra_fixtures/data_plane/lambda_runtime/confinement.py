"""What a worker gives up before any code of a function runs: root, new privileges, core dumps, unlimited memory.

Loaded by `template_main`, by path: it may import nothing of this project.

A worker's user may be kept out of where Python lies (an installation under a home of mode 700). Such directories are
opened by the template, as root, and used as /proc/self/fd/N: that leads to the directory itself, past its parents
(https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html); what is in it must be readable for everyone.
"""

import ctypes
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None)


def confine(uid: int | None, data_bytes: int) -> None:
    """Become `uid` (None: stay who one is), never to be more again, with at most `data_bytes` of writable memory.

    The kernel forgets PR_SET_PDEATHSIG when the user changes: set it afterwards.
    """
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes, data_bytes))


def bring_within_reach(uid: int, runtime_dir: Path) -> Path:
    """Let `uid` import what this process can: from sys.path, and from the packages that `runtime_dir` links to.

    Gives the directory of links to use.
    """
    targets = {link: link.readlink() for link in runtime_dir.iterdir() if link.is_symlink()}
    wanted = [p for p in sys.path if Path(p).exists()]
    hidden = _out_of_reach([*wanted, *map(str, targets.values())], uid)
    moved = {path: _opened(path) for path in wanted if path in hidden}
    sys.path[:] = [moved.get(path, path) for path in sys.path]
    for module in list(sys.modules.values()):
        if isinstance(places := getattr(module, "__path__", None), list):
            places[:] = [_moved(place, moved) for place in places]
    if not any(str(target) in hidden for target in targets.values()):
        return runtime_dir
    own = runtime_dir.with_name(f"{runtime_dir.name}.{os.getpid()}")
    own.mkdir(mode=0o755)
    for link, target in targets.items():
        (own / link.name).symlink_to(_opened(str(target)) if str(target) in hidden else target)
    os.chown(own, uid, uid)
    return own


def _moved(place: str, moved: dict[str, str]) -> str:
    for old, new in moved.items():
        if place.startswith(f"{old}/"):
            return new + place[len(old) :]
    return place


def _opened(path: str) -> str:
    return f"/proc/self/fd/{os.open(path, os.O_PATH)}"


def _out_of_reach(paths: Iterable[str], uid: int) -> set[str]:
    """Those that a process of that user cannot read: one is asked."""
    paths = list(paths)
    told, teller = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(teller, bytes(os.access(path, os.R_OK) for path in paths))
        finally:
            os._exit(0)
    os.close(teller)
    answers = os.read(told, len(paths) + 1)
    os.close(told)
    os.waitpid(pid, 0)
    return {path for path, reached in zip(paths, answers, strict=True) if not reached}
