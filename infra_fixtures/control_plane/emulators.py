"""Other emulators of the AWS API behind the front: started, watched, frozen with their region, and passed calls to.

One that is lost with its region is stopped where it stands (SIGSTOP) and not killed: emulators keep what they hold in
memory, and a region that comes back on AWS has its buckets and functions still. One that dies unasked is a failure of
the harness, told by name to whoever asks, and never part of a drill. Calls to one that is still starting wait for it, so
that what others answer goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from infra_fixtures.control_plane.backend import Answer, BackendUnreachable, Call, HttpBackend
from infra_fixtures.processes.parent_death import die_with_parent
from infra_fixtures.run_layout import Emulator

POLL_INTERVAL_S = 0.05
HEALTH_LIMIT_S = 1.0


class Emulators:
    """All emulators of a run; belongs to one event loop."""

    def __init__(self, emulators: Sequence[Emulator]) -> None:
        self._guarded = {e.name: _Guarded(e) for e in emulators}
        self._greeting: list[asyncio.Task[None]] = []

    def start(self, session: aiohttp.ClientSession) -> None:
        """Start those that are ours to start, and find out when each serves."""
        for guarded in self._guarded.values():
            guarded.start(session)
            self._greeting.append(asyncio.get_running_loop().create_task(guarded.greet(session)))

    def stop(self) -> None:
        """Kill what was started: there is nothing to save."""
        for task in self._greeting:
            task.cancel()
        for guarded in self._guarded.values():
            guarded.stop()

    def freeze(self, region: str) -> None:
        """Stop what is lost with a region, where it stands."""
        self._signal(region, frozen=True)

    def thaw(self, region: str) -> None:
        """Let it go on."""
        self._signal(region, frozen=False)

    def backend(self, emulator: Emulator) -> _Guarded:
        """Where to pass calls that this emulator answers."""
        return self._guarded[emulator.name]

    @property
    def failure(self) -> str | None:
        """Which of them died unasked, as a sentence that names it; None while all live."""
        return next((g.failure for g in self._guarded.values() if g.failure), None)

    def _signal(self, region: str, *, frozen: bool) -> None:
        for guarded in self._guarded.values():
            if guarded.emulator.lost_with == region:
                guarded.freeze(frozen)


class _Guarded:
    """One emulator: a backend while it lives, a sentence where it does not."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.failure: str | None = None
        self._frozen = False
        self._stopping = False
        self._serving = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._http: HttpBackend | None = None

    def start(self, session: aiohttp.ClientSession) -> None:
        self._http = HttpBackend(session, self.emulator.url)
        if not self.emulator.argv:
            return
        with Path(self.emulator.log).open("ab") as log:
            self._process = subprocess.Popen(
                self.emulator.argv,
                env=dict(self.emulator.environment),
                cwd=Path(self.emulator.log).parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        handle = os.pidfd_open(self._process.pid)
        asyncio.get_running_loop().add_reader(handle, self._ended, handle)

    async def greet(self, session: aiohttp.ClientSession) -> None:
        """Find out when it serves."""
        limit = aiohttp.ClientTimeout(total=HEALTH_LIMIT_S)
        while not self._serving.is_set():
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(self.emulator.url + self.emulator.health, timeout=limit) as answer:
                    if answer.status == 200:
                        self._serving.set()
            await asyncio.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        self._stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def freeze(self, frozen: bool) -> None:
        self._frozen = frozen
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    async def answer(self, call: Call) -> Answer:
        """Pass a call on once it serves; raises BackendUnreachable where it is frozen, dead, or answers nobody."""
        await self._serving.wait()
        if self.failure or self._http is None:
            raise BackendUnreachable(self.failure or f"{self.emulator.name} is not started")
        if self._frozen:
            raise BackendUnreachable(f"{self.emulator.name} is lost with its region")
        try:
            return await self._http.answer(call)
        except BackendUnreachable as e:
            if self._process is None and isinstance(e.__cause__, aiohttp.ClientConnectorError):
                self.failure = (
                    f"{self.emulator.name} at {self.emulator.url} answered before and refuses connections now: start "
                    "it again and repeat the run"
                )
            raise

    def _ended(self, handle: int) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            return
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        if not self._stopping:
            self.failure = (
                f"{self.emulator.name} (process {self._process.pid}) ended unasked with status "
                f"{self._process.returncode}; its last words: {_last_line(Path(self.emulator.log))}"
            )
        self._serving.set()  # nobody waits for it any longer


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "(none)"
