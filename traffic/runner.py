"""Runs the load: Locust as subprocesses, their records gathered, a death noticed, an orderly end."""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import polars as pl

from drill.history import OPS_SCHEMA, Mark, Sample
from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until
from traffic.collector import Collector
from traffic.contract import Contract
from traffic.contract_file import order_api
from traffic.load import Load, Service
from traffic.processes import ROOT, SETTINGS_VARIABLE, Process, alone, local_worker, master
from traffic.records import OnOps
from traffic.worker import TOKEN_VARIABLE
from traffic.worker_pool import WorkerPool

__all__ = ["LoadGenerator", "Meeting", "ROOT", "SETTINGS_VARIABLE", "TrafficFailed"]

START_S = 30.0
EXIT_S = 1.0
"""How long Locust may take to end once it has said that it is done."""
LAST_LINES = 15
LOOPBACK = "127.0.0.1"

log = logging.getLogger(__name__)


class TrafficFailed(Exception):
    """The load generator does not do its work; the sentence says how, with Locust's last log lines."""


def new_token() -> str:
    """What whoever may join must know: hexadecimal, for one that began with "-" would be an option on a command line."""
    return secrets.token_hex(24)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where workers of other machines find the drill, and how long it waits for them.

    `host`: the address this machine is reached by; loopback unless given, which an SSH tunnel reaches too. `port`: of
    the records, `master_port`: of Locust's master, 0: any free one. Anyone with the `token` may join and is told the
    service's API key; nothing on these two ports is encrypted, so they belong on a private network. `token_is_known`: the
    workers have it already, and it is not to be printed.
    """

    host: str = LOOPBACK
    port: int = 0
    master_port: int = 0
    token: str = field(default_factory=new_token, repr=False)
    patience_s: float = 300.0
    token_is_known: bool = False


class LoadGenerator:
    """Locust, sending `load` to `service`: one process, or a master and workers that share the same schedule.

    `contract`: how the application is written to and read, and what its answers mean; the order API's unless given.

    `t0_ns`: the run's t0 on time.monotonic_ns(), to which all times are relative. `directory` belongs to this generator
    alone: `traffic.spool` (readable by `read_spool`) and the logs stay there. `environment`: the variables of the
    children. `on_ops` is called from a thread of its own with every batch of ops and must be quick.

    `workers`: how many processes of this machine share the load, 0: one process sends all, with no master.
    `workers_elsewhere`: how many more are started by hand on other machines, by the command line that `announce` is
    given (default: this module's log) once this generator listens as `meeting` says. Raises UnusableInput.

    `private_prefix`: how the name begins of the directory in the system's temporary one that holds the socket; whoever
    clears up after a killed harness finds it by that.
    """

    def __init__(
        self,
        load: Load,
        service: Service,
        *,
        t0_ns: int,
        directory: Path,
        environment: Mapping[str, str],
        contract: Contract | None = None,
        on_ops: OnOps | None = None,
        workers: int = 0,
        workers_elsewhere: int = 0,
        meeting: Meeting | None = None,
        announce: Callable[[str], None] = log.warning,
        private_prefix: str = "traffic-",
    ) -> None:
        for name, count in (("workers", workers), ("workers_elsewhere", workers_elsewhere)):
            if count < 0:
                raise UnusableInput(f"{name} is {count}: give 0 or more")
        self._load = load
        self._service = service
        self._contract = contract or order_api()
        self._t0_ns = t0_ns
        self._directory = directory
        self._environment = environment
        self._on_ops = on_ops
        self._workers = workers
        self._workers_elsewhere = workers_elsewhere
        self._meeting = meeting or Meeting()
        self._announce = announce
        self._private_prefix = private_prefix
        self._collector: Collector | None = None
        self._processes: list[Process] = []
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
        """The process id of Locust (of several processes: the master), once started."""
        return self._processes[0].pid if self._processes else None

    @property
    def pids(self) -> tuple[int, ...]:
        """Every process of this machine: Locust, or its master and then the workers."""
        return tuple(p.pid for p in self._processes)

    @property
    def alive(self) -> bool:
        """Whether Locust is running, all of its processes of this machine."""
        return bool(self._processes) and all(p.alive for p in self._processes)

    @property
    def failure(self) -> str | None:
        """Why this load proves nothing from now on (Locust died, a worker or records were lost), or None.

        Cheap enough to poll.
        """
        if self._failure is None and not self._stopping:
            dead = next((p for p in self._processes if not p.alive), None)
            if dead is not None:
                self._failure = self._sentence(f"{dead.name} {dead.end} in the middle of the load", dead.log)
        if self._failure is None and self._collector is not None:
            self._failure = self._collector.trouble
        return self._failure

    def start(self) -> None:
        """Start Locust and return once its first request (of every worker) is on its way.

        Raises TrafficFailed with Locust's last log lines, UnusableInput where the directory holds another's records or
        the meeting's address cannot be used.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self._private = Path(tempfile.mkdtemp(prefix=self._private_prefix))
        try:
            path = self._private / "records"
            size = self._workers + self._workers_elsewhere
            if size:
                self._start_worker_pool(path, size)
            else:
                self._collector = Collector(path, self.spool, self._t0_ns, self._on_ops)
                told = {**self._settings, "t0_ns": self._t0_ns}
                self._processes.append(alone(told, path, self._environment, self.log))
            collector = self._collector
            assert collector is not None
            self._await(lambda: collector.started, what="Locust's first request")
        except BaseException:
            self.stop(0)
            raise

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop sending, wait for what is in flight (what is not answered in time is recorded unknown), end Locust.

        Returns after about `timeout_s` at most. Afterwards no process of this machine and no socket file is left, and
        the records stay readable.
        """
        failed = self.failure  # before it counts as an intended end
        self._stopping = True
        limit = time.monotonic() + timeout_s
        collector = self._collector
        if (
            collector is not None
            and collector.connected
            and (failed is None or self._workers + self._workers_elsewhere)
        ):
            self._end_gracefully(collector, limit)
        for process in self._processes:
            process.ask_to_end()
        for process in self._processes:
            process.end_within(EXIT_S)
        if collector is not None:
            collector.close()
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None

    @property
    def _settings(self) -> dict[str, object]:
        """What every process that sends is told."""
        return {"load": self._load, "service": self._service, "contract": self._contract}

    def ops(self) -> pl.DataFrame:
        """All ops so far, with drill.history.OPS_SCHEMA."""
        return self._collector.ops() if self._collector is not None else OPS_SCHEMA.to_frame()

    def samples(self) -> tuple[Sample, ...]:
        """All samples so far: dispatch_lag_s, how late requests started, ten a second."""
        return self._collector.samples() if self._collector is not None else ()

    def marks(self) -> tuple[Mark, ...]:
        """All marks so far: client.dns_answer, whenever the clients' name server gave other addresses than before."""
        return self._collector.marks() if self._collector is not None else ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_worker_pool(self, path: Path, size: int) -> None:
        """Master first, because it chooses its port; then the workers, which the collector tells when to begin."""
        meeting, elsewhere = self._meeting, self._workers_elsewhere
        settings = msgspec.json.encode(self._settings).decode()
        worker_pool = WorkerPool(size, meeting.token, settings, self._t0_ns)
        tcp = (meeting.host, meeting.port) if elsewhere else None
        collector = self._collector = Collector(
            path, self.spool, self._t0_ns, self._on_ops, worker_pool=worker_pool, tcp=tcp
        )
        at = (meeting.host, meeting.master_port) if elsewhere else (LOOPBACK, 0)
        self._processes.append(master(size, at, meeting.token, path, self._environment, self.log))
        self._await(lambda: worker_pool.master_port is not None, what="Locust's master")
        for number in range(self._workers):
            log_path = self._directory / f"locust-worker-{number}.log"
            self._processes.append(local_worker(meeting.token, path, self._environment, log_path))
        if collector.address is not None:
            host, port = collector.address
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            known = f" ({TOKEN_VARIABLE} as it is set here)" if meeting.token_is_known else f" --token {meeting.token}"
            self._announce(f"python -m traffic.worker --master {where}{known}")
            what = f"{elsewhere} workers of other machines to join"
            self._await(lambda: worker_pool.joined == size, what=what, timeout_s=meeting.patience_s)

    def _await(self, condition: Callable[[], bool], *, what: str, timeout_s: float = START_S) -> None:
        try:
            wait_until(lambda: condition() or self.failure is not None, what=what, timeout_s=timeout_s)
        except WaitTimeout as e:
            raise TrafficFailed(self._sentence(f"Locust does not start: {e}", self.log)) from e
        if self.failure is not None:
            raise TrafficFailed(self.failure)

    def _end_gracefully(self, collector: Collector, limit: float) -> None:
        collector.ask_to_stop(max(0.0, limit - time.monotonic() - EXIT_S))
        with contextlib.suppress(WaitTimeout):
            wait_until(
                lambda: collector.finished or not collector.connected,
                what="Locust's last records",
                timeout_s=max(0.0, limit - time.monotonic()),
            )
        if not collector.finished and self._failure is None:
            self._failure = self._sentence(
                "Locust did not stop in time, so what was in flight is not recorded", self.log
            )

    def _sentence(self, what: str, log_path: Path) -> str:
        lines = log_path.read_text(errors="replace").splitlines()[-LAST_LINES:] if log_path.exists() else []
        return f"{what}; the last lines of {log_path}:\n" + "\n".join(lines)
