"""Starts the run's processes under their region's name, and stops, freezes or kills a region (or one process) at once.

Nothing is restarted: a process that ends by itself is recorded, with its log, and stays dead until someone restores it.
Everything dies with the supervisor (PR_SET_PDEATHSIG), and `close` leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drill.wait import WaitTimeout, await_until
from infra_fixtures.processes.endings import how_ended
from infra_fixtures.processes.events import EventLog
from infra_fixtures.processes.fork_server import ForkedProcess
from infra_fixtures.processes.parent_death import die_with_parent
from infra_fixtures.processes.process_tree import Tree, create_tree
from infra_fixtures.processes.walked_tree import TREE_VARIABLE
from infra_fixtures.run_layout import RunLayout, child_environment

STOP_GRACE_S = 2.0
"""How long a process has to end after its stop signal before it is killed."""
DEATH_LIMIT_S = 5.0
"""A SIGKILL takes milliseconds; a process in an uninterruptible disk write may take longer."""
EXIT_POLL_INTERVAL_S = 0.001


@dataclass(frozen=True, slots=True)
class Span:
    """When something was done, in time.monotonic_ns(): it took effect within [began_ns, ended_ns]."""

    began_ns: int
    ended_ns: int


@dataclass(slots=True)
class Process:
    """A supervised process; `ended` is set when it is gone, `expected` says that we ended it."""

    region: str
    name: str
    pid: int
    log: Path
    tree: Tree
    popen: subprocess.Popen[bytes] | ForkedProcess
    stop_signal: signal.Signals
    expected: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def alive(self) -> bool:
        """Whether it runs (a frozen one does)."""
        return not self.ended.is_set()

    @property
    def returncode(self) -> int | None:
        """Its exit status; negative where a signal ended it; None while it lives."""
        return self.popen.returncode


DeathWatch = Callable[[Process], None]


class Supervisor:
    """One per run, in the global process; it must live in an event loop."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._groups = [] if layout.worker_uid is None else [layout.worker_uid]
        self._events = EventLog(Path(layout.work_dir) / "supervisor.events.jsonl")
        self._tree = create_tree(layout.run_id)
        self._regions = {r.name: self._tree.child(r.name) for r in layout.regions}
        self._processes: dict[tuple[str, str], Process] = {}
        self._watchers: list[DeathWatch] = []
        self._frozen: set[str] = set()

    def on_death(self, watcher: DeathWatch) -> None:
        """Call `watcher` from the event loop whenever a process has ended, whoever ended it."""
        self._watchers.append(watcher)

    def process(self, region: str, name: str) -> Process | None:
        """The process of that name, the last one started; None where none was."""
        return self._processes.get((region, name))

    def frozen(self, region: str) -> bool:
        """Whether a whole region is frozen: what is started in it stands still as well."""
        return region in self._frozen

    def processes(self) -> list[Process]:
        """Every process started and not replaced since."""
        return list(self._processes.values())

    def spawn(
        self,
        region: str,
        name: str,
        argv: Sequence[str],
        *,
        uid: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> Process:
        """Start a process in a region; its output goes to `<work_dir>/<name>.<region>.log`.

        `uid` is the unprivileged user (and group) it runs as, which may enter the work directory;
        `death_signal` is what it gets when the supervisor dies.
        Call it from the main thread: the kernel ties the death signal to the thread that started the process.
        """
        tree = self._place_for(region, name)
        log = log_of(self._layout, region, name)
        entry_fd = tree.entry_fd()
        variables = {**child_environment(self._layout), TREE_VARIABLE: tree.name, **(env or {})}

        def enter() -> None:
            if entry_fd is not None:
                os.write(entry_fd, b"0")
            die_with_parent(death_signal)

        try:
            with log.open("ab") as output:
                popen = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd,
                    env=variables,
                    start_new_session=True,
                    preexec_fn=enter,
                    **({} if uid is None else {"user": uid, "group": uid, "extra_groups": self._groups}),  # type: ignore[call-overload]
                )
        finally:
            if entry_fd is not None:
                os.close(entry_fd)
        tree.adopt(popen.pid)
        return self._watch(Process(region, name, popen.pid, log, tree, popen, stop_signal))

    def start_forked(self, region: str, name: str, forked: ForkedProcess) -> Process:
        """Take a forked process into a region and start it; it was forked with `log_of` for its output."""
        tree = self._place_for(region, name)
        entry_fd = tree.entry_fd()
        if entry_fd is not None:
            os.write(entry_fd, str(forked.pid).encode())
            os.close(entry_fd)
        tree.adopt(forked.pid)
        forked.release({TREE_VARIABLE: tree.name})
        log = log_of(self._layout, region, name)
        return self._watch(Process(region, name, forked.pid, log, tree, forked, signal.SIGTERM))

    async def run(
        self, region: str, name: str, argv: Sequence[str], *, timeout_s: float = 60.0, **options: object
    ) -> int:
        """Run a tool in a region to its end and return its exit status; cancelled or too slow, it is killed."""
        process = self.spawn(region, name, argv, **options)  # type: ignore[arg-type]
        process.expected = True
        try:
            async with asyncio.timeout(timeout_s):
                await process.ended.wait()
        finally:
            if process.alive:
                await self.kill(region, name)
        status = process.returncode
        return -1 if status is None else status

    async def kill(self, region: str, name: str | None = None) -> Span:
        """SIGKILL a region's whole tree (or one process's) at once; returns when all are gone, with stamps around it."""
        victims = self._expect(region, name)
        tree = self._tree_of(region, name)
        began = time.monotonic_ns()
        tree.kill()
        await _gone(tree, DEATH_LIMIT_S)
        instant = Span(began, time.monotonic_ns())
        for process in victims:
            await process.ended.wait()
        self._events.record("killed", _subject(region, name))
        return instant

    async def stop(self, region: str, name: str | None = None) -> Span:
        """Ask politely, wait a little, then kill what is left."""
        victims = self._expect(region, name)
        tree = self._tree_of(region, name)
        began = time.monotonic_ns()
        tree.thaw()
        if name is None:
            self._frozen.discard(region)
        for process in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, process.stop_signal)
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                for process in victims:
                    await process.ended.wait()
        except TimeoutError:
            self._events.record("stop.overdue", _subject(region, name))
        await self.kill(region, name)
        return Span(began, time.monotonic_ns())

    def freeze(self, region: str, name: str | None = None) -> Span:
        """Stop the processes where they stand; the kernel still accepts connections for them."""
        began = time.monotonic_ns()
        self._tree_of(region, name).freeze()
        if name is None:
            self._frozen.add(region)
        instant = Span(began, time.monotonic_ns())
        self._events.record("frozen", _subject(region, name))
        return instant

    def thaw(self, region: str, name: str | None = None) -> Span:
        """Let frozen processes go on."""
        began = time.monotonic_ns()
        self._tree_of(region, name).thaw()
        if name is None:
            self._frozen.discard(region)
        instant = Span(began, time.monotonic_ns())
        self._events.record("thawed", _subject(region, name))
        return instant

    async def close(self) -> None:
        """Kill everything and leave nothing behind; what should end gently is stopped before."""
        for region in self._regions:
            self._expect(region, None)
        self._tree.kill()
        with contextlib.suppress(WaitTimeout):
            await _gone(self._tree, DEATH_LIMIT_S)
        for process in self._processes.values():
            await process.ended.wait()
        self._tree.remove()
        self._events.close()

    def _place_for(self, region: str, name: str) -> Tree:
        """The tree of a process about to start."""
        known = self._processes.get((region, name))
        if known is not None and known.alive:
            raise RuntimeError(f"{name} of {region} already runs as {known.pid}")
        tree = self._regions[region].child(name)
        tree.thaw()
        return tree

    def _watch(self, process: Process) -> Process:
        self._processes[process.region, process.name] = process
        self._await_end(process)
        self._events.record("process.started", f"{process.region}/{process.name}", f"pid {process.pid}")
        return process

    def _tree_of(self, region: str, name: str | None) -> Tree:
        tree = self._regions[region]
        return tree if name is None else tree.child(name)

    def _expect(self, region: str, name: str | None) -> list[Process]:
        found = [p for (r, n), p in self._processes.items() if r == region and name in (None, n) and p.alive]
        for process in found:
            process.expected = True
        return found

    def _await_end(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(process.pid)

        def ended() -> None:
            if process.popen.poll() is None:
                return
            loop.remove_reader(handle)
            os.close(handle)
            process.ended.set()
            if not process.expected:
                how = how_ended(process.pid, process.returncode, process.log)
                self._events.record("process.died", f"{process.region}/{process.name}", how)
            for watcher in self._watchers:
                watcher(process)

        loop.add_reader(handle, ended)


def log_of(layout: RunLayout, region: str, name: str) -> Path:
    """Where a supervised process's output goes."""
    return Path(layout.work_dir) / f"{name}.{region}.log"


def _subject(region: str, name: str | None) -> str:
    return region if name is None else f"{region}/{name}"


async def _gone(tree: Tree, limit_s: float) -> None:
    async def empty() -> bool:
        return not tree.alive()

    await await_until(empty, what=f"the end of {tree.name}", timeout_s=limit_s, every_s=EXIT_POLL_INTERVAL_S)
