"""The regions as the backbone holds them: their processes, the links that lead to them, their loss and their return.

The links that cross a region's border (`edge`: from its clients, `upstream`: replication to it) live here and not in its
process, so that they can go dark with it: a lost region does not answer and does not reset anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp

from drill.wait import await_until
from infra_fixtures.data_plane.listening import control_address
from infra_fixtures.data_plane.network.conditions import Conditions, ConditionsRequest, Way
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.prefork import Waiting
from infra_fixtures.data_plane.supervisor import Process, Span, Supervisor
from infra_fixtures.site import Site

log = logging.getLogger(__name__)

PROCESS = "region"
"""The region process's name at the supervisor."""
DARK = Conditions(Way(black_hole=True), Way(black_hole=True))
SERVE_LIMIT_S = 30.0
PUSH_LIMIT_S = 0.5
"""A region that does not take an order in this time is frozen or gone; the order is repeated until it is taken."""
PUSH_AGAIN_S = 0.2


class RegionApi(Protocol):
    """What takes a region's AWS API away (`infra_fixtures.control_plane.admin.Admin`)."""

    async def region_up(self, region: str, up: bool) -> None:
        """Give it back, or take it away."""


class Regions:
    """Both regions; `serving` are those whose process has come up and lives.

    `waiting` are the regions' first processes, to be let go by `start`.
    """

    def __init__(
        self,
        site: Site,
        supervisor: Supervisor,
        api: RegionApi,
        session: aiohttp.ClientSession,
        waiting: Mapping[str, Waiting],
    ) -> None:
        self._site = site
        self._waiting = dict(waiting)
        self._supervisor = supervisor
        self._api = api
        self._session = session
        self.edges = {r.name: Link("edge", r.edge, r.gateway) for r in site.regions}
        self.upstreams = {
            here.name: Link("upstream", here.upstream, there.node) for here, there in (site.regions, site.regions[::-1])
        }
        self.serving: set[str] = set()
        self.lost: set[str] = set()
        self._asked: dict[Link, Conditions] = {}
        self._writer_endpoints: dict[str, bool] = {}
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

    async def lose(self, region: str) -> Span:
        """Everything of a region at once: links dark, processes dead, AWS API gone."""
        began = time.monotonic_ns()
        self.lost.add(region)
        self._settle()
        api = asyncio.create_task(self._api.region_up(region, False))
        await self._supervisor.kill(region)
        await api
        return Span(began, time.monotonic_ns())

    async def bring_back(self, region: str) -> None:
        """Its API, its process and the links inside; clients reach it again with `reopen`."""
        await self._api.region_up(region, True)
        self._supervisor.thaw(region)
        process = self._supervisor.process(region, PROCESS)
        if process is None or not process.alive:
            self._spawn(region)
        self.lost.discard(region)
        self._settle(but=self.edges[region])
        await await_until(
            lambda: self._serves(region), what=f"the process of {region} to serve", timeout_s=SERVE_LIMIT_S
        )

    def reopen(self) -> None:
        """Let clients through to every region that is not lost."""
        self._settle()

    async def set_writer_endpoint(self, region: str, active: bool) -> None:
        """Make a region's writer endpoint lead to its node, or nowhere; a region that cannot be told is told later."""
        self._writer_endpoints[region] = active
        if not await self._push(region):
            self._aside(self._push_until_taken(region))

    def ask_replication(self, request: ConditionsRequest) -> None:
        """Set conditions on the replication links of both regions."""
        for link in self.upstreams.values():
            self.ask(link, request)

    def ask(self, link: Link, request: ConditionsRequest) -> None:
        """Set conditions on a link; while its region is lost it stays dark, whatever is asked."""
        self._asked[link] = request.applied_to(self._asked.get(link, Conditions()))
        self._settle()
        if request.reset:
            link.reset()

    async def ask_inner(self, region: str, link: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Set conditions on a link inside a region: the status and answer of its process."""
        url = f"{control_address(self._site.region(region)).url}/links/{link}"
        try:
            async with asyncio.timeout(PUSH_LIMIT_S * 4), self._session.put(url, data=body) as response:
                return response.status, await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError) as e:
            return 503, {"error": f"the process of {region} does not answer: {type(e).__name__}"}

    async def inner_state(self, region: str) -> Mapping[str, Any] | None:
        """The links inside a region; None where its process does not answer."""
        try:
            async with asyncio.timeout(PUSH_LIMIT_S), self._session.get(self._control(region) + "/state") as response:
                state: dict[str, Any] = await response.json()
                return state
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    def _settle(self, but: Link | None = None) -> None:
        """Every link as asked, or dark where it leads to, or from, a lost region; `but` stays as it is."""
        for region, link in self.edges.items():
            self._set(link, dark=region in self.lost, but=but)
        for link in self.upstreams.values():
            self._set(link, dark=bool(self.lost), but=but)

    def _set(self, link: Link, *, dark: bool, but: Link | None) -> None:
        wanted = DARK if dark else self._asked.get(link, Conditions())
        if link is not but and link.conditions != wanted:
            link.set_conditions(wanted)

    def _spawn(self, region: str) -> None:
        """Let the waiting process go where there is one, else start another."""
        waiting = self._waiting.pop(region, None)
        if waiting is not None:
            self._supervisor.let_go(region, PROCESS, waiting)
        else:
            argv = [sys.executable, "-m", "infra_fixtures.data_plane.region", str(self._site.path), region]
            self._supervisor.spawn(region, PROCESS, argv)
        self._aside(self._greet(region))

    async def _greet(self, region: str) -> None:
        """Wait for a new process to serve, and tell it what it has to know."""
        await await_until(
            lambda: self._answers(region), what=f"the process of {region} to serve", timeout_s=SERVE_LIMIT_S
        )
        await self._push_until_taken(region)
        self.serving.add(region)

    async def awaited(self) -> list[str]:
        """What is missing for both regions' processes to serve what the API says."""
        answers = await asyncio.gather(*(self._awaited_of(region) for region in self.edges))
        return [word for answer in answers for word in answer]

    async def _awaited_of(self, region: str) -> list[str]:
        """What a region's process waits for; itself, where it does not answer."""
        try:
            async with asyncio.timeout(PUSH_LIMIT_S), self._session.get(self._control(region) + "/ready") as response:
                return [f"{region}: {word}" for word in (await response.json())["awaited"]]
        except (aiohttp.ClientError, OSError, TimeoutError):
            return [f"the process of {region}"]

    async def _answers(self, region: str) -> bool:
        return not await self._awaited_of(region)

    async def _serves(self, region: str) -> bool:
        return region in self.serving

    async def _push(self, region: str) -> bool:
        active = self._writer_endpoints.get(region, False)
        try:
            async with (
                asyncio.timeout(PUSH_LIMIT_S),
                self._session.put(
                    self._control(region) + "/links/writer", data=json.dumps({"active": active})
                ) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def _push_until_taken(self, region: str) -> None:
        while not await self._push(region):
            process = self._supervisor.process(region, PROCESS)
            if process is None or not process.alive:
                return  # a new one is told when it greets
            await asyncio.sleep(PUSH_AGAIN_S)

    def _control(self, region: str) -> str:
        return control_address(self._site.region(region)).url

    def _died(self, process: Process) -> None:
        if process.name == PROCESS:
            self.serving.discard(process.region)

    def _aside(self, work: Any) -> None:
        async def run() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await work
                except Exception:  # said by /ready, which goes on waiting
                    log.exception("a region could not be brought up")

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
