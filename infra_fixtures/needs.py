"""What a system on this machine needs of it: looked at before anything is stood up, so that all that is missing is told at once.

A need is a function that raises UnusableInput where it is not met; the packages above this one bring needs of their own.
"""

from __future__ import annotations

import importlib.util
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora.binaries import locate

Need = Callable[[], object]

RECORDS_BYTES = 100 * 2**20
"""A scenario leaves 2 MB of records and pictures; what is asked for here lasts a game day with some repetitions."""
WORK_BYTES = 500 * 2**20
"""Two PostgreSQL clusters with their WAL, the functions' code and the logs."""
MEMORY_BYTES = 600 * 2**20
DESCRIPTORS = 1024
MOST_DESCRIPTORS = 65_536
"""More are never wanted: some programs look through all that there might be when they start others."""
PROGRAMS = ("locust", "moto", "awslambdaric", "aiohttp", "psycopg")
"""What the run's processes import: a broken installation is told before they die of it."""
CGROUP = Path("/sys/fs/cgroup")


def require_needs(runs_dir: Path, *more: Need) -> None:
    """Raise UnusableInput, a line for each need that is not met; `more` are those of the layers above.

    Once all are met, this process and its children may open as many files as there can be.
    """
    work = Path(tempfile.gettempdir())
    needs: tuple[Need, ...] = (
        partial(need_space, runs_dir, RECORDS_BYTES, "give another --runs-dir or make room"),
        partial(need_space, work, WORK_BYTES, "set TMPDIR to a directory with more room, or make room"),
        need_postgresql,
        need_loopback,
        need_descriptors,
        need_memory,
        need_programs,
        *more,
    )
    unmet: list[str] = []
    for need in needs:
        try:
            need()
        except UnusableInput as e:
            unmet.append(" ".join(str(e).split()))
    if unmet:
        raise UnusableInput("\n".join(dict.fromkeys(unmet)))
    raise_descriptor_limit()


def need_space(directory: Path, least: int, remedy: str) -> None:
    """So many bytes are free where `directory` is, or will be made."""
    place = next(p for p in (directory.absolute(), *directory.absolute().parents) if p.exists())
    try:
        room = shutil.disk_usage(place)
    except OSError as e:
        raise UnusableInput(f"{place} cannot be looked at ({e.strerror}): {remedy}") from e
    if (
        room.total and room.free < least
    ):  # /proc and its like have no room at all; that they take no files is told elsewhere
        raise UnusableInput(f"{directory} has {_mib(room.free)} of free space, and {_mib(least)} are needed: {remedy}")


def need_postgresql() -> None:
    """There is a PostgreSQL, and the user that it is to run as can run it and reach what is made for it."""
    with tempfile.TemporaryDirectory(prefix="drill-needs-") as scratch:
        place = Path(scratch)
        place.chmod(0o755)
        _, uid = locate(place)
        if uid is not None:
            need_reach(place.parent, uid)


def need_reach(directory: Path, uid: int) -> None:
    """That user may pass through the directory and all above it."""
    for place in (directory, *directory.parents):
        found = place.stat()
        if not found.st_mode & (0o100 if found.st_uid == uid else 0o001):
            raise UnusableInput(
                f"PostgreSQL's user (id {uid}) cannot reach {directory}: chmod o+x {place}, or set TMPDIR to a directory "
                "that everyone reaches"
            )


def need_loopback(host: str = "127.64.0.1") -> None:
    """The loopback interface answers on all of 127.0.0.0/8."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as e:
            raise UnusableInput(
                f"{host} cannot be listened on ({e.strerror}): all of 127.0.0.0/8 must be this machine, as on any Linux "
                "whose interface lo is up"
            ) from e


def need_descriptors(least: int = DESCRIPTORS) -> None:
    """So many files may be open at once, as soon as the soft limit is raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise UnusableInput(
            f"only {hard} files may be open at once, and {least} are needed: raise it (ulimit -Hn {least})"
        )


def raise_descriptor_limit() -> None:
    """Let this process, and its children, open as many files as the hard limit says and as are ever wanted."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, MOST_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MOST_DESCRIPTORS
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def need_memory(least: int = MEMORY_BYTES) -> None:
    """So many bytes of memory are free, of the machine's and of what this process's container may have."""
    free = min([psutil.virtual_memory().available, *_left_in_container()])
    if free < least:
        raise UnusableInput(f"{_mib(free)} of memory are free, and {_mib(least)} are needed: end what uses it")


def need_programs() -> None:
    """What the run's processes import is installed."""
    lacking = [name for name in PROGRAMS if importlib.util.find_spec(name) is None]
    if lacking:
        raise UnusableInput(
            f"{', '.join(lacking)} is not installed in {sys.prefix}: run by `make`, or install requirements/run.lock there"
        )


def _left_in_container() -> list[int]:
    try:
        most = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except OSError:
        return []
    return [] if most == "max" else [int(most) - used + int(cache.get("inactive_file", 0))]


def _mib(size: int) -> str:
    return f"{size // 2**20:,} MiB"
