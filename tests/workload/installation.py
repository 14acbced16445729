"""Kinto's own Python environment: made once from its lock, in a directory beside `.venv`, as the LocalStack target's is."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from infra_fixtures.run_layout import REPOSITORY

LOCK = REPOSITORY / "requirements" / "kinto.lock"
HOME = REPOSITORY / ".kinto-venv"
INSTALL_LIMIT_S = 600.0


def kinto_programs() -> Path:
    """The directory of its programs; an environment that was made from another lock is made anew."""
    stamp, digest = HOME / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(HOME, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(HOME))
        pip = (str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--require-hashes", "--no-deps", "-r", str(LOCK))
        stamp.write_text(digest)
    return HOME / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    assert done.returncode == 0, done.stderr[-2000:]
