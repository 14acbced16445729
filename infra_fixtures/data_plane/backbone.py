"""What belongs to no region, and the hand that breaks regions.

It starts the regions' processes and PostgreSQL, answers as Route 53, manages Aurora, replicates S3 and carries the links
between the regions and to them. Its control API (JSON) listens on `site.backbone`, for whoever bears
the run's secret; times are time.monotonic_ns():

GET  /ready                                 200 when everything serves; else 503 {"awaited": [...]}
GET  /state                                 what is how
POST /regions/{region}/kill                 {"began_ns", "ended_ns"}: processes dead, links dark, AWS API gone
POST /regions/{region}/stop|freeze|thaw     the same stamps; freeze and stop leave links and AWS API alone
POST /regions/{region}/restore              answers when the region serves again
POST /regions/{region}/database/kill|freeze|thaw|restore
POST /links/replication                     conditions of the inter-region links (network.conditions.ConditionsRequest)
POST /links/{region}/{link}                 edge, writer, reader, egress
POST /replication/s3                        {"paused": bool, "lag_s": seconds}
POST /shutdown
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout
from infra_fixtures.control_plane.admin import Admin
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.data_plane.aurora.lag_metric import LagMetric
from infra_fixtures.data_plane.aurora.manager import AuroraManager
from infra_fixtures.data_plane.aurora.node import PROCESS as DATABASE
from infra_fixtures.data_plane.aurora.node import NodeFailure
from infra_fixtures.data_plane.follow import Backlog, follow
from infra_fixtures.data_plane.listening import listening
from infra_fixtures.data_plane.network.conditions import read_request
from infra_fixtures.data_plane.network.control import link_state
from infra_fixtures.data_plane.network.policy import NetworkPolicy
from infra_fixtures.data_plane.prefork import Waiting
from infra_fixtures.data_plane.regions import Regions
from infra_fixtures.data_plane.route53 import Route53
from infra_fixtures.data_plane.s3_replication import S3Replicator
from infra_fixtures.data_plane.supervisor import Span, Supervisor
from infra_fixtures.site import Site

log = logging.getLogger(__name__)


class Backbone:
    """The parts, composed, and their control API.

    `making_files` makes the databases' files, where that was begun; `waiting` are the regions' first processes.
    """

    def __init__(
        self, site: Site, making_files: subprocess.Popen[bytes] | None, waiting: Mapping[str, Waiting]
    ) -> None:
        self._site = site
        self._making_files = making_files
        self._waiting = waiting
        self._stop = asyncio.Event()
        self._started = False
        self._backlog = Backlog()

    def stop(self) -> None:
        """End `serve`."""
        self._stop.set()

    async def serve(self) -> None:
        """Serve until told to stop; UnusableInput where PostgreSQL cannot be run."""
        site = self._site
        pg_bin, pg_uid = (
            (Path(site.pg_bin), site.pg_uid) if site.pg_bin else locate(Path(site.work_dir), site.worker_uid)
        )
        async with contextlib.AsyncExitStack() as parts:
            await parts.enter_async_context(listening(self._application(), site.backbone, site.credentials))
            self._supervisor = Supervisor(site)
            parts.push_async_callback(self._supervisor.close)
            session = await parts.enter_async_context(aiohttp.ClientSession(headers=site.credentials.bearer))
            admin = await parts.enter_async_context(Admin(site))
            self._regions = Regions(site, self._supervisor, admin, session, self._waiting)
            parts.push_async_callback(self._regions.close)
            self._regions.start()
            self._aurora = AuroraManager(
                site, self._supervisor, admin, self._regions.set_writer_endpoint, pg_bin, pg_uid
            )
            parts.push_async_callback(self._aurora.close)
            await parts.enter_async_context(LagMetric(site, self._aurora.lags))
            preparing = asyncio.create_task(self._prepare())
            parts.callback(preparing.cancel)
            route53 = await parts.enter_async_context(Route53(site))
            self._replicator = await parts.enter_async_context(S3Replicator(site))
            policies = [NetworkPolicy(site, name, {"edge": link}) for name, link in self._regions.edges.items()]
            following = asyncio.create_task(
                follow(site, route53, self._aurora, self._replicator, *policies, backlog=self._backlog)
            )
            self._started = True
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (following, stopping):
                task.cancel()
            await asyncio.gather(following, stopping, return_exceptions=True)

    async def _prepare(self) -> None:
        try:
            await self._aurora.prepare(self._making_files)
        except Exception:  # it is tried again when the API asks for a cluster
            log.exception("no database pair could be prepared")

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[_plain_errors])
        add = application.router.add_route
        add("GET", "/ready", self._ready)
        add("GET", "/state", self._state)
        add("POST", "/regions/{region}/restore", self._restore)
        add("POST", "/regions/{region}/database/restore", self._restore_database)
        add("POST", "/regions/{region}/database/{action}", self._database)
        add("POST", "/regions/{region}/{action}", self._region)
        add("POST", "/links/replication", self._replication)
        add("POST", "/links/{region}/{link}", self._link)
        add("POST", "/replication/s3", self._s3)
        add("POST", "/shutdown", self._shutdown)
        return application

    async def _ready(self, request: web.Request) -> web.Response:
        if not self._started:
            return _json({"awaited": ["the backbone's own parts"]}, 503)
        awaited = [*self._backlog.behind, *await self._regions.awaited(), *await self._aurora.awaited()]
        return _json({"awaited": awaited}, 503 if awaited else 200)

    async def _state(self, request: web.Request) -> web.Response:
        self._must_have_started()
        regions = self._regions
        return _json(
            {
                "processes": {
                    f"{p.region}/{p.name}": {"pid": p.pid, "alive": p.alive, "exit_status": p.returncode}
                    for p in self._supervisor.processes()
                },
                "lost": sorted(regions.lost),
                "serving": sorted(regions.serving),
                "aurora": await self._aurora.state(),
                "s3": self._replicator.state(),
                "links": {
                    name: {
                        "edge": link_state(link),
                        "upstream": link_state(regions.upstreams[name]),
                        **(await regions.inner_state(name) or {}),
                    }
                    for name, link in regions.edges.items()
                },
            }
        )

    async def _region(self, request: web.Request) -> web.Response:
        region, action = self._region_of(request), request.match_info["action"]
        match action:
            case "kill":
                self._replicator.hold(region, True)
                return _stamps(await self._regions.lose(region))
            case "stop":
                return _stamps(await self._supervisor.stop(region))
            case "freeze":
                return _stamps(self._supervisor.freeze(region))
            case "thaw":
                span = self._supervisor.thaw(region)
                await self._aurora.thawed(region)
                return _stamps(span)
        raise web.HTTPNotFound(text=f"a region cannot {action}: it can kill, stop, freeze, thaw or restore")

    async def _restore(self, request: web.Request) -> web.Response:
        region = self._region_of(request)
        began = time.monotonic_ns()
        await self._regions.bring_back(region)
        how = await self._aurora.rejoin(region)
        self._replicator.hold(region, False)
        self._regions.reopen()
        return _stamps(Span(began, time.monotonic_ns()), database=how)

    async def _database(self, request: web.Request) -> web.Response:
        region, action = self._region_of(request), request.match_info["action"]
        match action:
            case "kill":
                return _stamps(await self._supervisor.kill(region, DATABASE))
            case "freeze":
                return _stamps(self._supervisor.freeze(region, DATABASE))
            case "thaw":
                return _stamps(self._supervisor.thaw(region, DATABASE))
        raise web.HTTPNotFound(text=f"a database cannot {action}: it can kill, freeze, thaw or restore")

    async def _restore_database(self, request: web.Request) -> web.Response:
        region = self._region_of(request)
        began = time.monotonic_ns()
        self._supervisor.thaw(region, DATABASE)
        how = await self._aurora.rejoin(region)
        return _stamps(Span(began, time.monotonic_ns()), database=how)

    async def _replication(self, request: web.Request) -> web.Response:
        self._must_have_started()
        asked = read_request(await request.read())
        began = time.monotonic_ns()
        self._regions.ask_replication(asked)
        return _stamps(Span(began, time.monotonic_ns()))

    async def _link(self, request: web.Request) -> web.Response:
        region, link = self._region_of(request), request.match_info["link"]
        body = await request.read()
        asked = read_request(body)
        began = time.monotonic_ns()
        if link == "edge":
            self._regions.ask(self._regions.edges[region], asked)
        else:
            status, answer = await self._regions.ask_inner(region, link, body)
            if status != 200:
                return _json(answer, status)
        return _stamps(Span(began, time.monotonic_ns()))

    async def _s3(self, request: web.Request) -> web.Response:
        self._must_have_started()
        asked = msgspec.json.decode(await request.read() or b"{}", type=_S3Steering)
        self._replicator.steer(paused=asked.paused, lag_s=asked.lag_s)
        return _json(self._replicator.state())

    async def _shutdown(self, request: web.Request) -> web.Response:
        self.stop()
        return _json({})

    def _region_of(self, request: web.Request) -> str:
        self._must_have_started()
        region = request.match_info["region"]
        names = [r.name for r in self._site.regions]
        if region not in names:
            raise web.HTTPNotFound(text=f"{region} is no region of this run: they are {', '.join(names)}")
        return region

    def _must_have_started(self) -> None:
        if not self._started:
            raise web.HTTPServiceUnavailable(text="the backbone is still starting")


class _S3Steering(msgspec.Struct, forbid_unknown_fields=True):
    paused: bool | None = None
    lag_s: float | None = None


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What a caller can mend comes as a sentence with its status."""
    try:
        return await handler(request)
    except (UnusableInput, msgspec.DecodeError) as e:
        return _json({"error": str(e)}, 400)
    except NodeFailure as e:
        return _json({"error": str(e)}, 409)
    except WaitTimeout as e:
        return _json({"error": str(e)}, 504)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _stamps(span: Span, **more: str) -> web.Response:
    return _json({"began_ns": span.began_ns, "ended_ns": span.ended_ns, **more})


def run(site: Site, making_files: subprocess.Popen[bytes] | None, waiting: Mapping[str, Waiting]) -> None:
    """Serve until SIGTERM or SIGINT; UnusableInput where the site cannot be served."""

    async def serve() -> None:
        backbone = Backbone(site, making_files, waiting)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, backbone.stop)
        await backbone.serve()

    asyncio.run(serve())
