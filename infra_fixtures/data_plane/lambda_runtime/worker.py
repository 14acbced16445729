"""One execution environment: a process running AWS's runtime client, with a Runtime API port of its own.

It serves one invocation at a time, is killed when one runs longer than it may or wants more memory, and dies with its
region's process. Its Runtime API answers its own user alone.
"""

from __future__ import annotations

import asyncio
import datetime
import enum
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from infra_fixtures.data_plane.lambda_runtime import environment, invocation
from infra_fixtures.data_plane.lambda_runtime.definition import FunctionDefinition
from infra_fixtures.data_plane.lambda_runtime.invocation import Invocation
from infra_fixtures.data_plane.lambda_runtime.logs import LogShipper, LogStream
from infra_fixtures.data_plane.lambda_runtime.runtime_api import MOST_PAYLOAD_BYTES, RuntimeChannel
from infra_fixtures.data_plane.lambda_runtime.template import Forked, Request, Template
from infra_fixtures.fis_lambda import InvocationFault
from infra_fixtures.run_layout import RunLayout

INIT_LIMIT_S = 10.0
"""How long a function may take to initialise (Lambda execution environment lifecycle)."""
OVERHEAD_MB = 160
"""Writable memory that a worker has beside its MemorySize: what Python and AWS's SDK hold when it is forked, and the stacks
of its threads, which count whole (8 MB each) though little of them is used."""


class State(enum.Enum):
    """What a worker is doing."""

    STARTING = enum.auto()
    IDLE = enum.auto()
    BUSY = enum.auto()
    DEAD = enum.auto()


@dataclass(frozen=True, slots=True)
class Freezing:
    """Whose workers stand still: `scopes` are availability zones, None among them is every worker."""

    scopes: set[str | None] = field(default_factory=set)

    def covers(self, zone: str) -> bool:
        """Whether a worker in that zone stands still."""
        return None in self.scopes or zone in self.scopes


@dataclass(frozen=True, slots=True)
class Launch:
    """What the workers of one region's Lambda service have in common."""

    layout: RunLayout
    region: str
    runtime_dir: Path
    scratch: Path
    shipper: LogShipper
    template: Template
    freezing: Freezing = field(default_factory=Freezing)


class Owner(Protocol):
    """Who a worker works for: a pool."""

    def ready(self, worker: Worker) -> None:
        """It has no invocation and wants one."""

    def fault(self) -> InvocationFault | None:
        """What FIS's extension does to the invocation that now begins."""

    def finished(self, worker: Worker, done: Invocation, payload: bytes, *, failed: bool, duration_s: float) -> None:
        """An invocation came to its end."""

    def ended(self, worker: Worker) -> None:
        """Its process is gone."""


class Worker:
    """One worker in an availability zone; `init_failure` is the function error that its start ended in, if it did."""

    def __init__(
        self, launch: Launch, definition: FunctionDefinition, task_root: Path, owner: Owner, zone: str = ""
    ) -> None:
        self.definition = definition
        self.zone = zone
        self.state = State.STARTING
        self.retired = False
        self.idle_since_s = 0.0
        self.init_failure: bytes | None = None
        self.was_ready = False
        self.exit_event = asyncio.Event()
        self._launch = launch
        self._task_root = task_root
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._log: LogStream = launch.shipper.stream(definition)
        self._server: asyncio.Server | None = None
        self._process: Forked | None = None
        self._output = -1
        self._partial = b""
        self._channel: RuntimeChannel | None = None
        self._invocation: Invocation | None = None
        self._init_timer: asyncio.TimerHandle | None = None
        self._started_s = 0.0
        self._init_ms: float | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 before it runs."""
        return self._process.pid if self._process is not None else 0

    @property
    def user(self) -> int:
        """The uid that its process runs as."""
        uid = self._launch.layout.worker_uid
        return os.geteuid() if uid is None else uid

    @property
    def spawned(self) -> bool:
        """Whether a process was asked for: then `exit_event` is set in the end."""
        return self._process is not None

    async def start(self, *, provisioned: bool) -> None:
        """Open a Runtime API port and ask for the process."""
        launch = self._launch
        host = launch.layout.region(launch.region).runtime_host
        self._server = await self._loop.create_server(lambda: RuntimeChannel(self), host, 0, backlog=8)
        if self.state is State.DEAD:  # killed while the port opened
            self._close()
            return
        port = self._server.sockets[0].getsockname()[1]
        env = environment.environment(
            launch.layout,
            launch.region,
            self.definition,
            task_root=self._task_root,
            runtime_dir=launch.runtime_dir,
            scratch=launch.scratch,
            runtime_api=f"{host}:{port}",
            log_stream=self._log.name,
            provisioned=provisioned,
        )
        await self._spawn(env)

    def deliver(self, work: Invocation) -> None:
        """Start an invocation on this idle worker."""
        assert self._channel is not None
        now_s = time.monotonic()
        work.began_s = now_s
        timeout_s = self.definition.timeout_s
        work.timer = self._loop.call_later(timeout_s, self._timed_out, work)
        self.state = State.BUSY
        self._invocation = work
        work.reported = self._launch.shipper.may_ship_report()
        self._note(work, f"START RequestId: {work.request_id} Version: {self.definition.version}", ship=work.reported)
        work.fault = self._owner.fault()
        if work.fault is None:
            self._hand_over(work)
        else:
            self._loop.call_later(work.fault.delay_s, self._hand_over, work)

    def _hand_over(self, work: Invocation) -> None:
        """Give an invocation to the function, unless it has timed out meanwhile or FIS keeps it from running."""
        if self._invocation is not work:
            return
        if work.fault is not None and work.fault.prevents:
            answer, failed = work.fault.answer()
            self._finish(work, answer, failed=failed)
            self.state = State.IDLE
            self.idle_since_s = time.monotonic()
            self._owner.ready(self)
            return
        assert self._channel is not None
        timeout_s = self.definition.timeout_s
        context = f"Lambda-Runtime-Client-Context: {work.client_context}\r\n" if work.client_context else ""
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {work.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((time.time() + timeout_s - time.monotonic() + work.began_s) * 1000)}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self.definition.arn}\r\n{context}"
            f"Content-Length: {len(work.payload)}\r\n\r\n"
        )
        if not self._channel.deliver(head.encode("latin-1"), work.payload):
            self.kill()  # the process is dying; how is told when it has ended

    def kill(self) -> None:
        """End the process at once, as Lambda does with environments it no longer wants."""
        if self._process is None:
            self.state = State.DEAD
        else:
            self._process.kill()

    def terminate(self) -> None:
        """Ask the process to end."""
        if self._process is None:
            self.state = State.DEAD
        else:
            self._process.terminate()

    def settle_freezing(self) -> bool:
        """Let the process stand still or go on, as is wanted in its zone; whether that was not so already."""
        frozen = self._launch.freezing.covers(self.zone)
        if self._process is None or not self._process.alive or self._process.frozen == frozen:
            return False
        self._process.freeze(frozen)
        return True

    async def _spawn(self, env: dict[str, str]) -> None:
        self._output, write_end = os.pipe()
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read_output)
        self._started_s = time.monotonic()
        data_bytes = (self.definition.memory_mb + OVERHEAD_MB) << 20
        request = Request(self.definition.handler, str(self._task_root), env, data_bytes)
        try:
            self._process = await self._launch.template.fork(request, write_end, self._exited)
        except OSError:
            self._close()
            raise
        finally:
            os.close(write_end)
        self.settle_freezing()
        if self.state is State.DEAD:  # killed meanwhile
            self._process.kill()
        self._init_timer = self._loop.call_later(INIT_LIMIT_S, self._init_timed_out)

    # what the Runtime API tells

    def next_requested(self, channel: RuntimeChannel) -> None:
        """The runtime asks for work."""
        if self._invocation is not None:  # a runtime that forgets its answer is broken
            self.kill()
            return
        if self._init_timer is not None:
            self._init_timer.cancel()
            self._init_timer = None
            self._init_ms = (time.monotonic() - self._started_s) * 1000
            self.was_ready = True
        self._channel = channel
        self.state = State.IDLE
        self.idle_since_s = time.monotonic()
        self._owner.ready(self)

    def answered(self, request_id: str, payload: bytes, *, failed: bool) -> bool:
        """The function returned or raised."""
        work = self._invocation
        if work is None or work.request_id != request_id:
            return False
        if len(payload) > MOST_PAYLOAD_BYTES:
            limit = f"Response payload size exceeded maximum allowed payload size ({MOST_PAYLOAD_BYTES} bytes)."
            payload, failed = invocation.failure("Function.ResponseSizeTooLarge", limit), True
        if failed and invocation.is_out_of_memory(payload):
            self.kill()
            self._end(work, "Runtime.OutOfMemory", invocation.exit_reason(-signal.SIGKILL))
            return True
        if work.fault is not None and work.fault.replaces:
            payload, failed = work.fault.answer()
        self._finish(work, payload, failed=failed)
        return True

    def init_failed(self, payload: bytes) -> None:
        """The function's module could not be loaded; the process ends next."""
        self.init_failure = payload

    # how things end

    def _finish(self, work: Invocation, payload: bytes, *, failed: bool, why: str = "") -> None:
        self._invocation = None
        duration_s = time.monotonic() - work.began_s
        self._read_output(work)
        ms = duration_s * 1000
        init = ""
        if self._init_ms is not None:
            init, self._init_ms = f"\tInit Duration: {self._init_ms:.2f} ms", None
        ship = failed or work.reported
        self._note(work, f"END RequestId: {work.request_id}", ship=ship)
        self._note(
            work,
            f"REPORT RequestId: {work.request_id}\tDuration: {ms:.2f} ms\tBilled Duration: {int(ms) + 1} ms"
            f"\tMemory Size: {self.definition.memory_mb} MB{init}{why}",
            ship=ship,
        )
        self._owner.finished(self, work, payload, failed=failed, duration_s=duration_s)

    def _end(self, work: Invocation, error_type: str, reason: str) -> None:
        """The process is gone, or goes, under its invocation."""
        text = f"RequestId: {work.request_id} Error: {reason}"
        self._note(work, text)
        why = f"\tStatus: error\tError Type: {error_type}"
        self._finish(work, invocation.failure(error_type, text), failed=True, why=why)

    def _timed_out(self, work: Invocation) -> None:
        if self._invocation is not work:
            return
        work.timer = None
        self.kill()
        timeout_s = self.definition.timeout_s
        self._read_output(work)
        self._note(work, f"{_utc_now()} {work.request_id} Task timed out after {timeout_s:.2f} seconds")
        payload = invocation.timed_out(work.request_id, timeout_s)
        self._finish(work, payload, failed=True, why="\tStatus: timeout")

    def _init_timed_out(self) -> None:
        self._init_timer = None
        self.init_failure = invocation.timed_out("init", INIT_LIMIT_S)
        self.kill()

    def _exited(self, returncode: int) -> None:
        self.state = State.DEAD
        work = self._invocation
        self._read_output(work)
        if work is not None:
            self._end(work, "Runtime.ExitError", invocation.exit_reason(returncode))
        elif not self.was_ready and self.init_failure is None:
            failure = self._process.failure if self._process is not None else ""
            self.init_failure = (
                invocation.failure("Runtime.StartError", failure) if failure else invocation.exited("init", returncode)
            )
        self._close()
        self._owner.ended(self)

    def _close(self) -> None:
        self.state = State.DEAD
        if self._init_timer is not None:
            self._init_timer.cancel()
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1
        if self._channel is not None:
            self._channel.close()
        if self._server is not None:
            self._server.close()
        self.exit_event.set()

    # what it says

    def _note(self, work: Invocation, text: str, *, ship: bool = True) -> None:
        work.lines.append(text)
        self._log.line(text, ship=ship)

    def _read_output(self, work: Invocation | None = None) -> None:
        """Take what the process printed; on the way out of an invocation this gathers its last lines."""
        work = work or self._invocation
        while self._output >= 0:
            try:
                data = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._output)
                return
            *whole, self._partial = (self._partial + data).split(b"\n")
            for raw in whole:
                # awslambdaric joins the lines of one record by carriage returns
                text = raw.decode("utf-8", "replace").replace("\r", "\n").rstrip()
                if not text:
                    continue
                if work is not None:
                    self._note(work, text)
                else:
                    self._log.line(text)


def _utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
