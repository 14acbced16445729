"""Processes for workers, forked from one that has AWS's SDK imported already: a start need not do so again.

AWS starts an execution environment in a few hundred milliseconds; a whole Python on a busy machine takes longer, and at a
pace of 10 much longer, than the model's clock allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from infra_fixtures.data_plane.lambda_runtime import template_main
from infra_fixtures.processes.endings import how_ended
from infra_fixtures.processes.events import EventLog
from infra_fixtures.processes.walked_tree import TREE_VARIABLE
from infra_fixtures.run_layout import RUN_ID_VARIABLE

SEND_AGAIN_S = 0.005


class Forked:
    """One forked process; `ended` is called with its exit status, negative where a signal ended it."""

    def __init__(self, ended: Callable[[int], None]) -> None:
        self.pid = 0
        """0 until it runs."""
        self.failure = ""
        """Why it never ran."""
        self.alive = True
        self._ended = ended
        self.frozen = False
        """Whether it stands still, or will as soon as it runs."""
        self._handle = -1
        self._kill_requested = False

    def kill(self) -> None:
        """SIGKILL; at once where it runs, else as soon as it does."""
        self._kill_requested = True
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, also where it is frozen; SIGKILL where it does not run yet."""
        if self._handle < 0:
            self.kill()
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)

    def freeze(self, frozen: bool) -> None:
        """Let it stand still, or go on; at once where it runs, else as soon as it does."""
        self.frozen = frozen
        self._signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def started(self, pid: int) -> None:
        """It runs."""
        self.pid = pid
        with contextlib.suppress(ProcessLookupError):  # ended already: that is told next
            self._handle = os.pidfd_open(pid)
        if self.frozen:
            self.freeze(True)
        if self._kill_requested:
            self.kill()

    def end(self, status: int) -> None:
        """It is gone."""
        if self.alive:
            self.alive = False
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1
            self._ended(status)

    def _signal(self, number: signal.Signals) -> None:
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)


class Request(msgspec.Struct, frozen=True):
    """What a worker is to be."""

    handler: str
    cwd: str
    env: Mapping[str, str]
    data_bytes: int
    """How much writable memory it may have (RLIMIT_DATA)."""


class _Numbered(Request, frozen=True):
    id: int


class _Answer(msgspec.Struct):
    id: int
    started: int = 0
    failed: str = ""
    ended: int | None = None


class Template:
    """The process that is forked; started again where it died. It must live in an event loop.

    Its start and its unasked death, which takes its workers with it, are written to `events` under the name `part`. Workers
    run as user `uid` (None: as this process).
    """

    def __init__(
        self, run_id: str, runtime_dir: Path, log: Path, events: EventLog, part: str, uid: int | None = None
    ) -> None:
        self._events = events
        self._part = part
        self._uid = uid
        self._run_id = run_id
        self._runtime_dir = runtime_dir
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._children: dict[int, Forked] = {}
        self._last = 0

    def start(self) -> None:
        """Start the process, if it does not run; OSError.

        The kernel ties its life to the thread that starts it (PR_SET_PDEATHSIG): call it from one that lives as long as
        this process.
        """
        if self._channel is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        inherited = {name: os.environ[name] for name in (TREE_VARIABLE,) if name in os.environ}
        with theirs, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", template_main.__file__, str(os.getpid()), str(self._runtime_dir),
                 str(theirs.fileno()), "-" if self._uid is None else str(self._uid)],
                env={RUN_ID_VARIABLE: self._run_id, "LANG": "en_US.UTF-8", "PATH": "/usr/bin:/bin", **inherited},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
            )  # fmt: skip
        self._events.record("process.started", self._part, f"pid {self._process.pid}")
        self._channel = ours
        asyncio.get_running_loop().add_reader(ours, self._hear)

    async def fork(self, request: Request, output: int, ended: Callable[[int], None]) -> Forked:
        """Ask for a process whose output goes to the file descriptor `output`; OSError where none can be had.

        It is returned before it runs. The descriptor may be closed then.
        """
        child = Forked(ended)
        self._last = number = self._last + 1
        message = msgspec.json.encode(_Numbered(request.handler, request.cwd, request.env, request.data_bytes, number))
        while True:
            self.start()
            assert self._channel is not None
            try:
                socket.send_fds(self._channel, [message], [output])
            except BlockingIOError:
                await asyncio.sleep(SEND_AGAIN_S)
            except (BrokenPipeError, ConnectionResetError):  # it died, and that was not heard of yet
                self._died()
            else:
                self._children[number] = child
                return child

    def close(self) -> None:
        """End the process, and with it every worker that still runs."""
        if self._process is not None:
            self._process.kill()
        self._lost()

    def _hear(self) -> None:
        """Take one answer."""
        assert self._channel is not None
        try:
            message = self._channel.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._died()
            return
        answer = msgspec.json.decode(message, type=_Answer)
        child = self._children[answer.id]
        if answer.started:
            child.started(answer.started)
            return
        del self._children[answer.id]
        child.failure = answer.failed
        child.end(1 if answer.ended is None else answer.ended)

    def _died(self) -> None:
        """Nobody asked for its end."""
        process = self._process
        self._lost()
        if process is not None:
            self._events.record("process.died", self._part, how_ended(process.pid, process.returncode, self._log))

    def _lost(self) -> None:
        """The process is gone: the kernel has ended what was forked from it."""
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.wait()
            self._process = None
        orphans, self._children = self._children, {}
        for child in orphans.values():
            child.end(-signal.SIGKILL)
