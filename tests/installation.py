"""Third-party programs that tests run: each in an environment of its own, made once from its lock, beside `.venv`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from infra_fixtures.run_layout import REPOSITORY

INSTALL_LIMIT_S = 600.0


def programs_of(name: str, *beside: str) -> Path:
    """The directory of the programs of requirements/`name`.lock; an environment made from another lock is made anew.

    `beside` names other locks that go into the same environment.
    """
    locks, home = [REPOSITORY / "requirements" / f"{one}.lock" for one in (*beside, name)], REPOSITORY / f".{name}-venv"
    stamp, digest = home / "lock.sha256", hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        pip = (str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        for lock in locks:
            _run(*pip, "--require-hashes", "--no-deps", "-r", str(lock))
        stamp.write_text(digest)
    return home / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    assert done.returncode == 0, done.stderr[-2000:]
