"""LocalStack's own Python: made once from the lock of its release date, in a directory beside `.venv`.

It needs Python 3.13 and the dependencies of its day (newer ones break it), so it never shares an environment with us.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.targets.localstack.options import PYTHON_VARIABLE

VERSION = "4.14.0"
LOCK = REPOSITORY / "requirements" / "localstack.lock"
ENVIRONMENT = REPOSITORY / ".localstack-venv"
REQUIRED_PYTHON = (3, 13)
INSTALL_LIMIT_S = 900.0
PYENV = ".pyenv/versions/3.13*/bin/python3.13"


def ready_python(named: Path | None) -> Path:
    """The Python that can run LocalStack, set up where it is not yet; raises UnusableInput with what is missing."""
    stamp, digest = ENVIRONMENT / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    python = ENVIRONMENT / "bin" / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    base = _find(named)
    sys.stderr.write(
        f"setting up LocalStack {VERSION} in {ENVIRONMENT.name} from requirements/{LOCK.name} (once, a minute or two)\n"
    )
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    _run([str(base), "-m", "venv", str(ENVIRONMENT)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--no-deps", "-r", str(LOCK)])
    stamp.write_text(digest)
    return python


def _find(named: Path | None) -> Path:
    candidates = [named] if named else [shutil.which("python3.13"), *sorted(Path.home().glob(PYENV), reverse=True)]
    for candidate in candidates:
        if candidate is not None and _version(Path(candidate)) == REQUIRED_PYTHON:
            return Path(candidate)
    where = f"{named} is not" if named else "no python3.13 was found that is"
    raise UnusableInput(
        f"LocalStack {VERSION} needs Python 3.13 and {where} one: set {PYTHON_VARIABLE} (or --localstack-python) to "
        "one, or give a LocalStack that runs already with --localstack-endpoint all=http://127.0.0.1:4566"
    )


def _version(python: Path) -> tuple[int, int] | None:
    try:
        said = subprocess.run(
            [str(python), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, timeout=20
        ).stdout.split()
        return int(said[0]), int(said[1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    if done.returncode:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UnusableInput(f"LocalStack could not be set up in {ENVIRONMENT.name}: {last}")
