"""Reconcilers: read the desired state, make it so. Nudged by every mutating API call; a slow poll is the safety net."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol, TypeVar

import aiohttp
import msgspec

from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.run_layout import RunLayout

T = TypeVar("T")
log = logging.getLogger(__name__)

SLOW_POLL_S = 5.0
GATHER_S = 0.1
"""How long a reconciler that found changes after a look gathers more of them: while a system is provisioned, hundreds of
calls would each lead to a look. The first change after a rest is never delayed."""
RECONNECT_S = 0.1


class Reconciler(Protocol):
    """A part of the data plane that obeys a part of the control plane."""

    @property
    def services(self) -> frozenset[str]:
        """The services whose changes concern it."""

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read the desired state and make it so; `changes` is what nudged it, empty at the start and on the slow poll.

        Several changes that arrive while it works are handed over together.
        """


class ReconcilerProgress:
    """Who has not yet caught up with the changes it was told of: what readiness waits for."""

    def __init__(self) -> None:
        self._behind: dict[str, int] = {}

    @property
    def behind(self) -> list[str]:
        """Names of the reconcilers that still have something to read; the slow poll does not count."""
        return [name for name, count in self._behind.items() if count]

    def add(self, reconciler: Reconciler, count: int) -> None:
        """A reconciler has got something to do (1) or is done (-1)."""
        name = type(reconciler).__name__
        self._behind[name] = self._behind.get(name, 0) + count


async def run_reconcilers(
    layout: RunLayout,
    *reconcilers: Reconciler,
    slow_poll_s: float = SLOW_POLL_S,
    progress: ReconcilerProgress | None = None,
) -> None:
    """Run reconcilers until cancelled; one that raises is logged and tried again at the next."""
    progress = ReconcilerProgress() if progress is None else progress
    queues = [_WorkQueue(r, progress) for r in reconcilers]
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(layout, queues))
        for queue in queues:
            group.create_task(queue.work(slow_poll_s))


class _WorkQueue:
    """One reconciler's work queue: a change is looked at at once, those that arrive meanwhile together a little later."""

    def __init__(self, reconciler: Reconciler, progress: ReconcilerProgress) -> None:
        self.reconciler = reconciler
        self._pending: list[Change] = []
        self._nudge = asyncio.Event()
        self._progress = progress
        self._behind = False
        self._fall_behind()  # until the first look at everything

    def put(self, change: Change | None) -> None:
        if change is None:
            self._fall_behind()
            self._nudge.set()
        elif change.service in self.reconciler.services:
            self._pending.append(change)
            self._fall_behind()
            self._nudge.set()

    def _fall_behind(self) -> None:
        if not self._behind:
            self._behind = True
            self._progress.add(self.reconciler, 1)

    def _catch_up(self) -> None:
        if self._behind:
            self._behind = False
            self._progress.add(self.reconciler, -1)

    async def work(self, slow_poll_s: float) -> None:
        """Look whenever there is something to look at; first at the first connection to the change stream."""
        while True:
            try:
                async with asyncio.timeout(slow_poll_s):
                    await self._nudge.wait()
            except TimeoutError:
                pass
            self._nudge.clear()
            changes, self._pending = self._pending, []
            try:
                await self.reconciler.reconcile(changes)
                if not self._nudge.is_set():
                    self._catch_up()
            except Exception:  # a reconciler that fails must go on
                log.exception("%s could not reconcile", type(self.reconciler).__name__)
            if self._nudge.is_set():
                await asyncio.sleep(GATHER_S)


async def _listen(layout: RunLayout, queues: Sequence[_WorkQueue]) -> None:
    """Read the front's change stream; after every (re)connection all reconcilers look at everything once."""
    decoder = msgspec.json.Decoder(Change)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
    async with own_session(timeout=timeout, headers=layout.credentials.bearer) as session:
        while True:
            try:
                async with session.get(f"{layout.internal.url}/_drill/changes") as response:
                    for queue in queues:
                        queue.put(None)
                    async for line in response.content:
                        if line.strip():
                            change = decoder.decode(line)
                            for queue in queues:
                                queue.put(change)
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(RECONNECT_S)
