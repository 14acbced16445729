"""Python environments of third-party applications: each made once from its lock, in a directory beside `.venv`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from infra_fixtures.run_layout import REPOSITORY

INSTALL_LIMIT_S = 600.0


def kinto_programs() -> Path:
    """The directory of Kinto's programs."""
    return programs_of("kinto")


def programs_of(application: str) -> Path:
    """The directory of an application's programs; an environment that was made from another lock is made anew."""
    lock, home = REPOSITORY / "requirements" / f"{application}.lock", REPOSITORY / f".{application}-venv"
    stamp, digest = home / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        pip = (str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--require-hashes", "--no-deps", "-r", str(lock))
        stamp.write_text(digest)
    return home / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    assert done.returncode == 0, done.stderr[-2000:]
