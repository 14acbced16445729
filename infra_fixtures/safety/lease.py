"""What a run owns on this machine: one loopback network, one work directory, one user, so that two runs never meet.

The network is held by an abstract Unix socket, which leaves no file; the user, which only root needs, by a locked file in
root's own directory. The kernel frees both when the holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import glob
import grp
import os
import pwd
import random
import re
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.access.users import TRANSIENT_IDS, busy_uids
from infra_fixtures.run_layout import DNS_PORT, Address
from infra_fixtures.safety.lock_files import lock, named, own_directory
from infra_fixtures.safety.machine_semaphore import DIRECTORY

FIRST_OCTETS = range(64, 120)
TRIES = 200
_OF_A_RUN = re.compile(r"failover-drill-(?P<run>\d{8}T\d{6}Z-[0-9a-f]{6})-.+")
_USED_BY_A_PART = re.compile(r"-(?:use|traffic)-[^-]+$")
"""What other parts of a harness keep beside its work directory (`work_prefix`)."""
WORK_PREFIX = "failover-drill-"


@dataclass(frozen=True, slots=True)
class Lease:
    """`network` is the first three octets of a loopback /24.

    `worker_uid` is a user (and group) that nobody else on this machine is; None where this process may not become one.
    `work_dir` is closed to everybody but this process's user and that group, whatever the umask.
    """

    network: str
    work_dir: Path
    worker_uid: int | None


def work_prefix(run_id: str) -> str:
    """How the names of a run's directories begin in the system's temporary directory."""
    return f"{WORK_PREFIX}{run_id}-"


def work_dirs(run_id: str, temp_dir: str = "") -> list[Path]:
    """Every directory of a run there (or in another `temp_dir`): what is to be removed when it is dead.

    Directories of its own, not what another user made under such a name: anybody may put a link or a file there.
    """
    found = Path(temp_dir or tempfile.gettempdir()).glob(f"{glob.escape(work_prefix(run_id))}*")
    return [path for path in found if _is_own_directory(path)]


def dead_runs() -> dict[str, list[Path]]:
    """Runs whose harness is gone and that left directories of this user's here, by run id.

    A harness holds a lock on its work directory for as long as it lives; a run that has none such is not among them.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}*")):
        named_by = _OF_A_RUN.fullmatch(path.name)
        if named_by is not None and _is_own_directory(path):
            found.setdefault(named_by["run"], []).append(path)
    return {run: paths for run, paths in found.items() if _harness_is_gone(paths)}


def _harness_is_gone(paths: Sequence[Path]) -> bool:
    leased = [path for path in paths if not _USED_BY_A_PART.search(path.name)]
    return bool(leased) and not any(map(_is_locked, leased))


def _is_locked(path: Path) -> bool:
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return True  # gone meanwhile: its harness has removed it
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)
    return False


def _is_own_directory(path: Path) -> bool:
    """A link is none, whatever it leads to; nor is what has gone meanwhile."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


@contextlib.contextmanager
def lease(run_id: str) -> Iterator[Lease]:
    """Hold a network and a work directory; at the end both are gone."""
    with contextlib.ExitStack() as held:
        network, holder = _network()
        held.callback(holder.close)
        uid = None
        if os.geteuid() == 0:
            uid, give_back = _unused_id()
            held.callback(give_back)
        work_dir = Path(tempfile.mkdtemp(prefix=work_prefix(run_id)))
        lives = os.open(work_dir, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, lives)
        held.callback(shutil.rmtree, work_dir, ignore_errors=True)
        fcntl.flock(lives, fcntl.LOCK_EX)
        if uid is not None and not _let_enter(work_dir, uid):
            uid = None
        yield Lease(network, work_dir, uid)


def _let_enter(work_dir: Path, gid: int) -> bool:
    """Let a group through the work directory; False where this user namespace has no such group."""
    try:
        os.chown(work_dir, -1, gid)
    except OSError:
        work_dir.chmod(0o711)  # PostgreSQL's user has to get through; each thing inside has its own mode
        return False
    work_dir.chmod(0o710)
    return True


def _unused_id() -> tuple[int, Callable[[], None]]:
    """A number that is no user, no group and no process's, and what gives it back; UnusableInput where there is none."""
    taken = {user.pw_uid for user in pwd.getpwall()} | {group.gr_gid for group in grp.getgrall()} | busy_uids()
    room = own_directory(DIRECTORY)
    for number in random.sample(TRANSIENT_IDS, len(TRANSIENT_IDS)):
        name = f"uid-{number}"
        held = None if number in taken else lock(room, name)
        if held is not None:
            return number, functools.partial(_give_back, room, name, held)
    os.close(room)
    raise UnusableInput("no unused user id is left for the run's functions, which must not run as root: end other runs")


def _give_back(room: int, name: str, held: int) -> None:
    """Remove the file while it is locked, so that whoever waits for it makes a new one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=room)
    os.close(held)
    os.close(room)


def require_free(addresses: Mapping[str, Address]) -> None:
    """Raise UnusableInput, naming it, where somebody listens on one of these already (such as on 0.0.0.0)."""
    for what, address in addresses.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((address.host, address.port))
            except OSError as e:
                raise UnusableInput(
                    f"{address} ({what}) cannot be listened on ({e.strerror}): stop the program that listens on port "
                    f"{address.port}, or let it listen on 127.0.0.1 only"
                ) from e


def _network() -> tuple[str, socket.socket]:
    if sys.platform != "linux":
        raise UnusableInput(
            "the embedded target needs Linux, whose loopback answers on all of 127.0.0.0/8: run it in a container"
        )
    for _ in range(TRIES):
        network = f"127.{random.choice(FIRST_OCTETS)}.{random.randint(1, 254)}"
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            holder.bind(f"\0failover-drill/{network}")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((f"{network}.5", DNS_PORT))
        except OSError:
            holder.close()
            continue
        return network, holder
    raise UnusableInput(f"no free loopback network found under 127.64.0.0/10: {_who_is_in_the_way()}, and try again")


def _who_is_in_the_way() -> str:
    """Whoever listens everywhere on the name server's port, or else those that hold networks."""
    udp = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    users = sorted({int(words[7]) for words in udp if words[1] == f"00000000:{DNS_PORT:04X}"})
    if users:
        return f"stop what listens on UDP port {DNS_PORT}, of {', '.join(map(named, users))}"
    held = sum("@failover-drill/" in line for line in Path("/proc/net/unix").read_text().splitlines())
    return f"stop other runs, or whoever holds {held} sockets named @failover-drill/... (root sees them with `ss -xp`)"
