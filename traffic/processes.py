"""The processes of a load on this machine: Locust alone, or its master and the workers beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from traffic.worker import LOCUSTFILE, ROOT, SETTINGS_VARIABLE, TOKEN_VARIABLE, UNIX

__all__ = ["ROOT", "SETTINGS_VARIABLE", "Process", "alone", "local_worker", "master"]

HEADLESS = ("--headless", "--only-summary", "--exit-code-on-error", "0")


@dataclass(frozen=True, slots=True)
class Process:
    """One of them; `log` is what it says."""

    name: str
    log: Path
    _popen: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._popen.poll() is None

    @property
    def end(self) -> str:
        """How it ended, in words."""
        status = self._popen.returncode
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def ask_to_end(self) -> None:
        """SIGTERM."""
        self._popen.terminate()

    def end_within(self, timeout_s: float) -> None:
        """Wait for its end so long, then kill it."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


def alone(told: Mapping[str, object], path: Path, environment: Mapping[str, str], log: Path) -> Process:
    """Locust that sends the whole load itself, and records to the unix socket at `path`."""
    settings = {"type": "alone", **told, "socket": path.name}
    return _locust("Locust", ("--users", "1", "--spawn-rate", "1"), settings, path, environment, log)


def master(
    size: int, at: tuple[str, int], token: str, path: Path, environment: Mapping[str, str], log: Path
) -> Process:
    """Locust's master, which waits for `size` workers at `at` (port 0: any free one) and starts one user on each."""
    settings = {"type": "master", "socket": path.name, "token": token}
    users = ("--users", str(size), "--spawn-rate", str(size), "--expect-workers", str(size))
    where = ("--master", "--master-bind-host", at[0], "--master-bind-port", str(at[1]))
    return _locust("Locust's master", (*where, *users), settings, path, environment, log)


def local_worker(token: str, path: Path, environment: Mapping[str, str], log: Path) -> Process:
    """A worker that joins by the unix socket at `path`."""
    command = (sys.executable, "-m", "traffic.worker", "--master", f"{UNIX}{path.name}")
    told = {**_importing(environment), TOKEN_VARIABLE: token}
    return _start(f"Locust's worker ({log.stem})", command, told, path.parent, log)


def _locust(
    name: str,
    options: Sequence[str],
    settings: Mapping[str, object],
    path: Path,
    environment: Mapping[str, str],
    log: Path,
) -> Process:
    command = (sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), *HEADLESS, *options)
    told = {**_importing(environment), SETTINGS_VARIABLE: msgspec.json.encode(settings).decode()}
    return _start(name, command, told, path.parent, log)


def _importing(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONPATH": str(ROOT)}


def _start(name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> Process:
    with log.open("ab") as out:
        popen = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,  # the socket's directory, which holds no locust.conf or pyproject.toml of others
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the harness, which ends Locust in its own order
        )
    return Process(name, log, popen)
