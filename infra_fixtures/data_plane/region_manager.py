"""The regions as the global process manages them: their processes, the links that lead to them, their loss and recovery.

The links that cross a region's border (`edge`: from its clients, `upstream`: replication to it) live here and not in its
process, so that they can be cut with it: a lost region does not answer and does not reset anybody. That cut is a rule among
the others on the link, so what else is put on it or taken off meanwhile is as asked when the region comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp

from drill.wait import await_until
from infra_fixtures.data_plane.inner_links import PUSH_LIMIT_S, InnerLinks
from infra_fixtures.data_plane.network.conditions import INTERNAL
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.internal_api.listening import control_address
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.processes.fork_server import ForkedProcess
from infra_fixtures.processes.supervisor import Process, Span, Supervisor
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

PROCESS = "region"
"""The region process's name at the supervisor."""
SERVE_LIMIT_S = 30.0


class RegionApi(Protocol):
    """What takes a region's AWS API away (`infra_fixtures.internal_api.admin.Admin`)."""

    async def region_up(self, region: str, up: bool) -> None:
        """Give it back, or take it away."""


class RegionManager:
    """Both regions; `serving` are those whose process has come up and lives.

    `forked` are the regions' first processes, to be started by `start`.
    """

    def __init__(
        self,
        layout: RunLayout,
        supervisor: Supervisor,
        api: RegionApi,
        session: aiohttp.ClientSession,
        forked: Mapping[str, ForkedProcess],
    ) -> None:
        self._layout = layout
        self._forked = dict(forked)
        self._supervisor = supervisor
        self._api = api
        self._session = session
        self.edges = {r.name: Link("edge", r.edge, r.gateway) for r in layout.regions}
        self.upstreams = {
            here.name: Link("upstream", here.upstream, there.node, layout.pg_uid)
            for here, there in (layout.regions, layout.regions[::-1])
        }
        self.inner = InnerLinks(layout, session, self.alive, self._in_background)
        self.serving: set[str] = set()
        self.lost: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        supervisor.on_death(self._died)

    def start(self) -> None:
        """Open the links, start the regions' processes."""
        for link in (*self.edges.values(), *self.upstreams.values()):
            link.start()
        for region in self.edges:
            self._spawn(region)

    async def close(self) -> None:
        """Close the links."""
        for task in self._tasks:
            task.cancel()
        for link in (*self.edges.values(), *self.upstreams.values()):
            link.close()

    def alive(self, region: str) -> bool:
        """Whether a region's process runs (a frozen one does)."""
        process = self._supervisor.process(region, PROCESS)
        return process is not None and process.alive

    async def lose(self, region: str) -> Span:
        """Everything of a region at once: links cut, processes dead, AWS API gone."""
        began = time.monotonic_ns()
        self.lost.add(region)
        for link in (self.edges[region], *self.upstreams.values()):
            link.put_rule(_loss_of(region), LinkRule(cut=True))
        api = asyncio.create_task(self._api.region_up(region, False))
        await self._supervisor.kill(region)
        await api
        return Span(began, time.monotonic_ns())

    async def restore_region(self, region: str) -> None:
        """Its API, its process and its replication; clients reach it again with `reopen`."""
        await self._api.region_up(region, True)
        self._supervisor.thaw(region)
        self.lost.discard(region)
        for link in self.upstreams.values():
            link.remove_rule(_loss_of(region))
        await self.revive(region)

    def reopen(self, region: str) -> None:
        """Let clients through to a region that was lost."""
        self.edges[region].remove_rule(_loss_of(region))

    async def revive(self, region: str) -> None:
        """Start a region's process where it is dead, and wait until it serves."""
        if not self.alive(region):
            self._spawn(region)
        await await_until(
            lambda: self._serves(region), what=f"the process of {region} to serve", timeout_s=SERVE_LIMIT_S
        )

    async def set_writer_endpoint(self, region: str, active: bool) -> None:
        """Make a region's writer endpoint lead to its node, or nowhere; a region that cannot be told is told later."""
        await self.inner.set_writer_active(region, active)

    async def not_ready(self) -> list[str]:
        """What is missing for both regions' processes to serve what the API says."""
        answers = await asyncio.gather(*(self._not_ready_of(region) for region in self.edges))
        return [word for answer in answers for word in answer]

    def _spawn(self, region: str) -> None:
        """Start the forked process where there is one, else start another."""
        forked = self._forked.pop(region, None)
        if forked is not None:
            self._supervisor.start_forked(region, PROCESS, forked)
        else:
            argv = [sys.executable, "-m", "infra_fixtures.data_plane.region_process", str(self._layout.path), region]
            self._supervisor.spawn(region, PROCESS, argv)
        self._in_background(self._await_serving(region))

    async def _await_serving(self, region: str) -> None:
        """Tell a new process what it has to know, and wait for it to serve."""
        await self.inner.greet(region)
        await await_until(
            lambda: self._answers(region), what=f"the process of {region} to serve", timeout_s=SERVE_LIMIT_S
        )
        self.serving.add(region)

    async def _not_ready_of(self, region: str) -> list[str]:
        """What a region's process waits for; itself, where it does not answer."""
        url = control_address(self._layout.region(region)).url + "/ready"
        try:
            async with asyncio.timeout(PUSH_LIMIT_S), self._session.get(url) as response:
                return [f"{region}: {word}" for word in (await response.json())["awaited"]]
        except (aiohttp.ClientError, OSError, TimeoutError):
            return [f"the process of {region}"]

    async def _answers(self, region: str) -> bool:
        return not await self._not_ready_of(region)

    async def _serves(self, region: str) -> bool:
        return region in self.serving

    def _died(self, process: Process) -> None:
        if process.name == PROCESS:
            self.serving.discard(process.region)

    def _in_background(self, work: Any) -> None:
        async def run() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await work
                except Exception:  # said by /ready, which goes on waiting
                    log.exception("a region could not be brought up")

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _loss_of(region: str) -> str:
    """The identity of the rule that cuts a link because that region is lost."""
    return f"{INTERNAL}{region} is lost"
