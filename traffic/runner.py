"""Runs the load: Locust as a subprocess, its records gathered, its death noticed, its end orderly."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import polars as pl

from drill.history import Mark, Sample
from drill.wait import WaitTimeout, wait_until
from traffic.collector import Collector
from traffic.load import Load, Service
from traffic.records import OnOps

ROOT = Path(__file__).resolve().parent.parent
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
SETTINGS_VARIABLE = "DRILL_TRAFFIC"
START_S = 30.0
EXIT_S = 1.0
"""How long Locust may take to end once it has said that it is done."""
LAST_LINES = 15
LONGEST_DIRECTORY = 80
"""A unix socket's path has 107 bytes at most; under a longer directory the socket goes to the system's own for such."""


class TrafficFailed(Exception):
    """The load generator does not do its work; the sentence says how, with Locust's last log lines."""


class LoadGenerator:
    """One Locust process that sends `load` to `service`.

    `t0_ns`: the run's t0 on time.monotonic_ns(), to which all times are relative. `directory` belongs to this generator
    alone: `traffic.spool` (readable by `read_spool`) and `locust.log` stay there. `environment`: the variables of the
    child. `on_ops` is called from a thread of its own with every batch of ops and must be quick.
    """

    def __init__(
        self,
        load: Load,
        service: Service,
        *,
        t0_ns: int,
        directory: Path,
        environment: Mapping[str, str],
        on_ops: OnOps | None = None,
    ) -> None:
        self._load = load
        self._service = service
        self._t0_ns = t0_ns
        self._directory = directory
        self._environment = environment
        self._on_ops = on_ops
        self._collector: Collector | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._private: Path | None = None
        self._failure: str | None = None
        self._stopping = False

    @property
    def spool(self) -> Path:
        """Where every record is kept as it arrives."""
        return self._directory / "traffic.spool"

    @property
    def log(self) -> Path:
        """What Locust says."""
        return self._directory / "locust.log"

    @property
    def pid(self) -> int | None:
        """Locust's process id, once started."""
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        """Whether Locust is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def failure(self) -> str | None:
        """Why this load proves nothing from now on (Locust died, records were lost), or None; cheap enough to poll."""
        if self._failure is None and self._collector is not None:
            self._failure = self._collector.trouble
        if self._failure is None and self._process is not None and not self._stopping and not self.alive:
            status = self._process.returncode
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            self._failure = self._sentence(f"Locust {how} in the middle of the load")
        return self._failure

    def start(self) -> None:
        """Start Locust and return once its first request is on its way.

        Raises TrafficFailed with Locust's last log lines, UnusableInput where the directory holds another's records.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        near = len(os.fsencode(self._directory.resolve())) <= LONGEST_DIRECTORY
        self._private = Path(tempfile.mkdtemp(prefix="traffic-", dir=self._directory.resolve() if near else None))
        try:
            path = self._private / "records"
            self._collector = Collector(path, self.spool, self._t0_ns, self._on_ops)
            self._process = self._spawn(path)
            self._await_first_request()
        except BaseException:
            self.stop(0)
            raise

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop sending, wait for what is in flight (what is not answered in time is recorded unknown), end Locust.

        Returns after about `timeout_s` at most. Afterwards no process and no socket file is left, and the records stay
        readable.
        """
        failed = self.failure  # before it counts as an intended end
        self._stopping = True
        limit = time.monotonic() + timeout_s
        if self._collector is not None and self._process is not None:
            if self.alive and failed is None:
                self._end_gracefully(self._collector, limit)
            self._end(self._process)
        if self._collector is not None:
            self._collector.close()
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None

    def ops(self) -> pl.DataFrame:
        """All ops so far, with drill.history.OPS_SCHEMA."""
        return self._recorded().ops()

    def samples(self) -> tuple[Sample, ...]:
        """All samples so far: dispatch_lag_s, how late requests started, ten a second."""
        return self._recorded().samples()

    def marks(self) -> tuple[Mark, ...]:
        """All marks so far: client.dns_answer, whenever the clients' name server gave other addresses than before."""
        return self._recorded().marks()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _recorded(self) -> Collector:
        if self._collector is None:
            raise TrafficFailed("the load generator was never started, so it has no records")
        return self._collector

    def _spawn(self, path: Path) -> subprocess.Popen[bytes]:
        settings = {"load": self._load, "service": self._service, "t0_ns": self._t0_ns, "socket": str(path)}
        environment = {
            **self._environment,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), self._environment.get("PYTHONPATH")])),
            SETTINGS_VARIABLE: msgspec.json.encode(settings).decode(),
        }
        command = [sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE)]
        command += ["--headless", "--users", "1", "--spawn-rate", "1", "--only-summary", "--exit-code-on-error", "0"]
        with self.log.open("ab") as out:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=path.parent,  # no locust.conf or pyproject.toml of others
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the harness, which ends Locust in its own order
            )

    def _await_first_request(self) -> None:
        collector = self._recorded()
        try:
            wait_until(
                lambda: collector.started or not self.alive,
                what="Locust's first request",
                timeout_s=START_S,
            )
        except WaitTimeout as e:
            raise TrafficFailed(self._sentence(f"Locust does not start: {e}")) from e
        if self.failure is not None:
            raise TrafficFailed(self.failure)

    def _end_gracefully(self, collector: Collector, limit: float) -> None:
        collector.ask_to_stop(max(0.0, limit - time.monotonic() - EXIT_S))
        with contextlib.suppress(WaitTimeout):
            wait_until(
                lambda: collector.finished or not self.alive,
                what="Locust's last records",
                timeout_s=max(0.0, limit - time.monotonic()),
            )
        if not collector.finished:
            self._failure = self._sentence("Locust did not stop in time, so what was in flight is not recorded")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                process.wait(EXIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _sentence(self, what: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:] if self.log.exists() else []
        return f"{what}; the last lines of {self.log}:\n" + "\n".join(lines)
