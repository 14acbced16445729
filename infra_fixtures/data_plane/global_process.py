"""What belongs to no region: the process that spans them, and that breaks and restores them.

It starts the regions' processes and PostgreSQL, answers as Route 53, manages Aurora, replicates S3 and carries the links
between the regions and to them. Its control API (JSON) listens on `layout.global_process`, for whoever bears
the run's secret; times are time.monotonic_ns():

GET  /ready                                 200 when everything serves; else 503 {"awaited": [...]}
GET  /state                                 what is how
POST /regions/{region}/lose                 {"began_ns", "ended_ns"}: processes dead, links cut, AWS API gone
POST /regions/{region}/restore              answers when the region serves again
POST /regions/{region}/processes/...        some of its processes: see process_api
PUT, DELETE, POST /links/...                rules on links, and their reset: see link_api
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

import msgspec
from aiohttp import web

from infra_fixtures.data_plane.aurora.lag_metric import LagMetric
from infra_fixtures.data_plane.aurora.manager import AuroraManager
from infra_fixtures.data_plane.control_answers import Refused, as_json, plain_errors, stamped
from infra_fixtures.data_plane.link_api import LinkApi
from infra_fixtures.data_plane.network.control import link_state
from infra_fixtures.data_plane.network.policy import NetworkPolicy
from infra_fixtures.data_plane.process_api import ProcessApi
from infra_fixtures.data_plane.region_manager import RegionManager
from infra_fixtures.data_plane.route53 import Route53
from infra_fixtures.data_plane.s3_replication.replicator import S3Replicator
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.listening import listening
from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.internal_api.reconciler import ReconcilerProgress, run_reconcilers
from infra_fixtures.processes.fork_server import ForkedProcess
from infra_fixtures.processes.supervisor import Span, Supervisor
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GlobalProcess:
    """The parts, composed, and their control API.

    `making_files` makes the databases' files; `forked` are the regions' first processes.
    """

    def __init__(
        self, layout: RunLayout, making_files: subprocess.Popen[bytes], forked: Mapping[str, ForkedProcess]
    ) -> None:
        self._layout = layout
        self._making_files = making_files
        self._forked = forked
        self._stop = asyncio.Event()
        self._started = False
        self._progress = ReconcilerProgress()

    def stop(self) -> None:
        """End `serve`."""
        self._stop.set()

    async def serve(self) -> None:
        """Serve until told to stop."""
        layout = self._layout
        async with contextlib.AsyncExitStack() as parts:
            await parts.enter_async_context(listening(self._application(), layout.global_process, layout.credentials))
            self._supervisor = Supervisor(layout)
            parts.push_async_callback(self._supervisor.close)
            session = await parts.enter_async_context(own_session(headers=layout.credentials.bearer))
            admin = await parts.enter_async_context(Admin(layout))
            self._regions = RegionManager(layout, self._supervisor, admin, session, self._forked)
            parts.push_async_callback(self._regions.close)
            self._regions.start()
            self._aurora = AuroraManager(
                layout, self._supervisor, admin, self._regions.set_writer_endpoint, Path(layout.pg_bin), layout.pg_uid
            )
            parts.push_async_callback(self._aurora.close)
            self._link_api = LinkApi(self._regions)
            self._process_api = ProcessApi(layout, self._supervisor, self._regions, self._aurora, session)
            await parts.enter_async_context(LagMetric(layout, self._aurora.lags))
            preparing = asyncio.create_task(self._prepare())
            parts.callback(preparing.cancel)
            route53 = await parts.enter_async_context(Route53(layout))
            self._replicator = await parts.enter_async_context(S3Replicator(layout))
            policies = [NetworkPolicy(layout, name, {"edge": link}) for name, link in self._regions.edges.items()]
            reconciling = asyncio.create_task(
                run_reconcilers(layout, route53, self._aurora, self._replicator, *policies, progress=self._progress)
            )
            self._started = True
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({reconciling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (reconciling, stopping):
                task.cancel()
            await asyncio.gather(reconciling, stopping, return_exceptions=True)

    async def _prepare(self) -> None:
        try:
            await self._aurora.prepare(self._making_files)
        except Exception:  # it is tried again when the API asks for a cluster
            log.exception("no database pair could be prepared")

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[plain_errors])
        add = application.router.add_route
        add("GET", "/ready", self._ready)
        add("GET", "/state", self._state)
        add("POST", "/regions/{region}/lose", self._lose)
        add("POST", "/regions/{region}/restore", self._restore)
        add("POST", "/regions/{region}/processes/{role}/{action}", self._started_part(lambda: self._process_api.act))
        add("PUT", "/links/{scope}/{link}/rules/{rule}", self._started_part(lambda: self._link_api.put))
        add("DELETE", "/links/{scope}/{link}/rules/{rule}", self._started_part(lambda: self._link_api.delete))
        add("POST", "/links/{scope}/{link}/reset", self._started_part(lambda: self._link_api.reset))
        add("POST", "/replication/s3", self._s3)
        add("POST", "/shutdown", self._shutdown)
        return application

    async def _ready(self, request: web.Request) -> web.Response:
        if not self._started:
            return as_json({"awaited": ["the global process's own parts"]}, 503)
        not_ready = [*self._progress.behind, *await self._regions.not_ready(), *await self._aurora.not_ready()]
        return as_json({"awaited": not_ready}, 503 if not_ready else 200)

    async def _state(self, request: web.Request) -> web.Response:
        self._must_have_started()
        regions = self._regions
        inner = {name: await regions.inner.state(name) for name in regions.edges}
        return as_json(
            {
                "processes": {
                    f"{p.region}/{p.name}": {"pid": p.pid, "alive": p.alive, "exit_status": p.returncode}
                    for p in self._supervisor.processes()
                },
                "lost": sorted(regions.lost),
                "serving": sorted(regions.serving),
                "aurora": await self._aurora.state(),
                "s3": self._replicator.state(),
                "functions": {name: said.get("functions", []) for name, said in inner.items()},
                "links": {
                    name: {
                        "edge": link_state(link),
                        "upstream": link_state(regions.upstreams[name]),
                        **inner[name].get("links", {}),
                    }
                    for name, link in regions.edges.items()
                },
            }
        )

    async def _lose(self, request: web.Request) -> web.Response:
        region = self._region_of(request)
        self._replicator.set_suspended(region, True)
        return stamped(await self._regions.lose(region))

    async def _restore(self, request: web.Request) -> web.Response:
        region = self._region_of(request)
        began = time.monotonic_ns()
        await self._regions.restore_region(region)
        how = await self._process_api.revive_database(region)
        self._replicator.set_suspended(region, False)
        self._regions.reopen(region)
        return stamped(Span(began, time.monotonic_ns()), database=how)

    async def _s3(self, request: web.Request) -> web.Response:
        self._must_have_started()
        requested = msgspec.json.decode(await request.read() or b"{}", type=_S3Steering)
        self._replicator.steer(paused=requested.paused, lag_s=requested.lag_s)
        return as_json(self._replicator.state())

    async def _shutdown(self, request: web.Request) -> web.Response:
        self.stop()
        return as_json({})

    def _started_part(self, part: Callable[[], Handler]) -> Handler:
        """A handler of a part that is there once the global process has started."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self._must_have_started()
            return await part()(request)

        return handle

    def _region_of(self, request: web.Request) -> str:
        self._must_have_started()
        region = request.match_info["region"]
        names = [r.name for r in self._layout.regions]
        if region not in names:
            raise Refused(404, f"{region} is no region of this run: they are {', '.join(names)}")
        return region

    def _must_have_started(self) -> None:
        if not self._started:
            raise Refused(503, "the global process is still starting")


class _S3Steering(msgspec.Struct, forbid_unknown_fields=True):
    paused: bool | None = None
    lag_s: float | None = None


def run(layout: RunLayout, making_files: subprocess.Popen[bytes], forked: Mapping[str, ForkedProcess]) -> None:
    """Serve until SIGTERM or SIGINT; UnusableInput where the layout cannot be served."""

    async def serve() -> None:
        global_process = GlobalProcess(layout, making_files, forked)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, global_process.stop)
        await global_process.serve()

    asyncio.run(serve())
