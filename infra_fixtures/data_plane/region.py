"""`python -m infra_fixtures.data_plane.region SITE_JSON REGION`: everything of a region but its database, in one process.

API Gateway, Lambda, alarms and rules of the region, and the links inside its VPC. The backbone starts it and it dies
with its region. Its control API (JSON) listens on the region's `runtime_host`:

GET /ready            200 when all serve what the API says; else 503 {"awaited": [...]}
GET /state            links and their connections
PUT /links/{link}     conditions of a link (see network.conditions); {"active": bool} for whether its endpoint has a role
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.api_gateway import ApiGateway
from infra_fixtures.data_plane.cloudwatch import CloudWatch
from infra_fixtures.data_plane.eventbridge import EventBridge
from infra_fixtures.data_plane.follow import Backlog, follow
from infra_fixtures.data_plane.lambda_runtime import LambdaService
from infra_fixtures.data_plane.listening import control_address, listening
from infra_fixtures.data_plane.network.conditions import read_request
from infra_fixtures.data_plane.network.control import apply_to_link, link_state
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.network.policy import NetworkPolicy
from infra_fixtures.data_plane.process_limits import prepare_process
from infra_fixtures.site import PRIVATE, RegionSite, Site

log = logging.getLogger(__name__)


def inner_links(region: RegionSite) -> dict[str, Link]:
    """The links inside the region's VPC, not yet listening; the writer's endpoint has no role until Aurora gives it one."""
    links = {
        "writer": Link("writer", region.writer, region.node),
        "reader": Link("reader", region.reader, region.node),
        "egress": Link("egress", region.egress, region.aws),
    }
    links["writer"].set_active(False)
    return links


class RegionProcess:
    """A region's parts, composed."""

    def __init__(self, site: Site, region: str) -> None:
        self._site = site
        self._region = region
        self._links = inner_links(site.region(region))
        self._composed = False
        self._backlog = Backlog()

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        site, region = self._site, self._region
        async with contextlib.AsyncExitStack() as parts:
            for link in self._links.values():
                link.start()
                parts.callback(link.close)
            await parts.enter_async_context(
                listening(self._application(), control_address(site.region(region)), site.credentials)
            )
            functions = await parts.enter_async_context(LambdaService(site, region))
            gateway = await parts.enter_async_context(ApiGateway(site, region, functions))
            # SNS and EventBridge invoke asynchronously, with Lambda's own retries.
            later = functools.partial(functions.invoke, asynchronous=True)
            watch = await parts.enter_async_context(CloudWatch(site, region, later))
            rules = await parts.enter_async_context(EventBridge(site, region, later))
            policy = NetworkPolicy(site, region, self._links)
            following = asyncio.create_task(
                follow(site, functions, gateway, watch, rules, policy, backlog=self._backlog)
            )
            try:
                self._composed = True
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/ready", self._get_ready)
        application.router.add_get("/state", self._get_state)
        application.router.add_put("/links/{link}", self._put_link)
        return application

    async def _get_ready(self, request: web.Request) -> web.Response:
        awaited = self._backlog.behind if self._composed else ["its parts"]
        return web.json_response({"awaited": awaited}, status=503 if awaited else 200)

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response({name: link_state(link) for name, link in self._links.items()})

    async def _put_link(self, request: web.Request) -> web.Response:
        link = self._links.get(request.match_info["link"])
        if link is None:
            return web.json_response({"error": f"a region's links are {', '.join(self._links)}"}, status=404)
        try:
            apply_to_link(link, read_request(await request.read()))
        except UnusableInput as e:
            return web.json_response({"error": str(e)}, status=400)
        return web.json_response(link_state(link))


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 where the arguments name no region of a run."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m infra_fixtures.data_plane.region SITE_JSON REGION\n")
        return 2
    os.umask(PRIVATE)
    prepare_process()
    run(Site.load(Path(arguments[0])), arguments[1])
    return 0


def run(site: Site, region: str) -> None:
    """Serve until SIGTERM or SIGINT."""

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await RegionProcess(site, region).serve(stop)

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
