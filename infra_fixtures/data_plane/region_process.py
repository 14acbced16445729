"""`python -m infra_fixtures.data_plane.region_process LAYOUT_JSON REGION`: everything of a region but its database, in
one process.

API Gateway, Lambda, alarms and rules of the region, and the links inside its VPC. The global process starts it and it dies
with its region. Its control API (JSON) listens on the region's `runtime_host`:

GET  /ready                200 when all serve what the API says; else 503 {"awaited": [...]}
GET  /state                {"links": ..., "functions": [...]}: rules and connections; the functions' workers
PUT  /links                all rules of all links, and whether the writer's endpoint has a role (network.control.LinksOrder)
POST /links/{link}/reset   resets every open connection: {"connections": how many}
POST /functions/{action}   kill, stop, freeze, thaw the functions' workers, with ?az= those of that zone: {"touched": [...]}

The links open with the first order.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from infra_fixtures.data_plane.api_gateway import ApiGateway
from infra_fixtures.data_plane.cloudwatch import CloudWatch
from infra_fixtures.data_plane.control_answers import Refused, as_json, plain_errors
from infra_fixtures.data_plane.eventbridge.service import EventBridge
from infra_fixtures.data_plane.lambda_runtime import LambdaService
from infra_fixtures.data_plane.network.control import WRITER, LinksOrder, link_state, obey
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.network.policy import NetworkPolicy
from infra_fixtures.data_plane.network.services import service_in_request
from infra_fixtures.internal_api.listening import control_address, listening
from infra_fixtures.internal_api.reconciler import ReconcilerProgress, run_reconcilers
from infra_fixtures.powers import Harm
from infra_fixtures.processes.process_limits import prepare_process
from infra_fixtures.run_layout import PRIVATE, RegionLayout, RunLayout

log = logging.getLogger(__name__)


def inner_links(region: RegionLayout, database_uid: int | None) -> dict[str, Link]:
    """The links inside the region's VPC, not yet listening; the writer's endpoint has no role until Aurora gives it one."""
    links = {
        WRITER: Link(WRITER, region.writer, region.node, database_uid),
        "reader": Link("reader", region.reader, region.node, database_uid),
        "egress": Link("egress", region.egress, region.aws, service_of=service_in_request),
    }
    links[WRITER].set_active(False)
    return links


class RegionProcess:
    """A region's parts, composed."""

    def __init__(self, layout: RunLayout, region: str) -> None:
        self._layout = layout
        self._region = region
        self._links = inner_links(layout.region(region), layout.pg_uid)
        self._last_order = 0
        self._told = asyncio.Event()
        self._functions: LambdaService | None = None
        self._composed = False
        self._progress = ReconcilerProgress()

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        layout, region = self._layout, self._region
        async with contextlib.AsyncExitStack() as parts:
            await parts.enter_async_context(
                listening(self._application(), control_address(layout.region(region)), layout.credentials)
            )
            if not await _first(self._told.wait(), stop.wait()):
                return
            for link in self._links.values():
                link.start()
                parts.callback(link.close)
            functions = self._functions = await parts.enter_async_context(LambdaService(layout, region))
            gateway = await parts.enter_async_context(ApiGateway(layout, region, functions))
            # SNS and EventBridge invoke asynchronously, with Lambda's own retries.
            later = functools.partial(functions.invoke, asynchronous=True)
            watch = await parts.enter_async_context(CloudWatch(layout, region, later))
            rules = await parts.enter_async_context(EventBridge(layout, region, later))
            policy = NetworkPolicy(layout, region, self._links)
            self._composed = True
            await _first(
                run_reconcilers(layout, functions, gateway, watch, rules, policy, progress=self._progress),
                stop.wait(),
            )

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[plain_errors])
        application.router.add_get("/ready", self._get_ready)
        application.router.add_get("/state", self._get_state)
        application.router.add_put("/links", self._put_links)
        application.router.add_post("/links/{link}/reset", self._reset)
        application.router.add_post("/functions/{action}", self._act_on_functions)
        return application

    async def _get_ready(self, request: web.Request) -> web.Response:
        awaited = self._progress.behind if self._composed else ["its parts"]
        return as_json({"awaited": awaited}, 503 if awaited else 200)

    async def _get_state(self, request: web.Request) -> web.Response:
        functions = self._functions.processes.all() if self._functions is not None else []
        return as_json(
            {"links": {name: link_state(link) for name, link in self._links.items()}, "functions": functions}
        )

    async def _put_links(self, request: web.Request) -> web.Response:
        order = msgspec.json.decode(await request.read(), type=LinksOrder)
        if order.number > self._last_order:
            self._last_order = order.number
            obey(order, self._links)
            self._told.set()
        return as_json({})

    async def _reset(self, request: web.Request) -> web.Response:
        return as_json({"connections": self._links[request.match_info["link"]].reset()})

    async def _act_on_functions(self, request: web.Request) -> web.Response:
        if self._functions is None:
            raise Refused(503, f"the functions of {self._region} are still starting")
        processes, zone = self._functions.processes, request.query.get("az")
        match request.match_info["action"]:
            case Harm.KILL:
                touched = await processes.kill(zone)
            case Harm.STOP:
                touched = await processes.stop(zone)
            case Harm.FREEZE:
                touched = processes.freeze(zone)
            case "thaw":
                touched = processes.thaw(zone)
            case other:
                raise Refused(404, f"functions cannot {other}: they can kill, stop, freeze or thaw")
        return as_json({"touched": touched})


async def _first(work: Coroutine[Any, Any, Any], stopped: Coroutine[Any, Any, Any]) -> bool:
    """Wait for the one or the other, and cancel what is left; whether the work came first."""
    tasks = [asyncio.create_task(work), asyncio.create_task(stopped)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main(arguments: list[str]) -> int:
    """Run until SIGTERM; 2 where the arguments name no region of a run."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m infra_fixtures.data_plane.region_process LAYOUT_JSON REGION\n")
        return 2
    os.umask(PRIVATE)
    prepare_process()
    run(RunLayout.load(Path(arguments[0])), arguments[1])
    return 0


def run(layout: RunLayout, region: str) -> None:
    """Serve until SIGTERM or SIGINT."""

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await RegionProcess(layout, region).serve(stop)

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
