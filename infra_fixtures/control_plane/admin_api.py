"""The harness's own door into the control plane: what AWS's internals would do, on the internal listener alone.

It asks for the run's bearer secret; a function's code has a signed link instead, as its Code.Location on AWS.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from infra_fixtures.access import bearer
from infra_fixtures.control_plane import code_link
from infra_fixtures.control_plane.front import ADMIN_PREFIX, Front

log = logging.getLogger(__name__)


class Refused(Exception):
    """A request the admin API cannot carry out: an HTTP status and a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


Action = Callable[..., Awaitable[web.StreamResponse]]


class AdminApi:
    """Routes of the admin API; a handler takes the request and what its path names."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._routes: list[tuple[str, re.Pattern[str], Action]] = []
        self._add("GET", "ready", self._ready)
        self._add("GET", "failure", self._failure)
        self._add("GET", "changes", self._changes)
        self._add("PUT", "regions/([^/]+)", self._region)
        self._add("PUT", "route53/health_checks/([^/]+)", self._health_check)
        self._add("PUT", "rds/global/([^/]+)", self._global_cluster)
        self._add("PUT", "rds/([^/]+)/clusters/([^/]+)", self._cluster)
        self._add("GET", "rds/([^/]+)/clusters/([^/]+)/credentials", self._credentials)
        self._add("GET", "cloudwatch/([^/]+)/feed/([0-9]+)", self._cloudwatch_feed)
        self._add("GET", "fis/paused_replication", self._paused_replication)
        self._add("GET", "lambda/([^/]+)/functions/([^/]+)/code/([0-9a-f]+)", self._code)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        credentials = self._front.layout.credentials
        if not bearer.bears(request, credentials) and not code_link.opens(request, credentials):
            return bearer.refusal()
        for method, pattern, action in self._routes:
            if method == request.method and (found := pattern.fullmatch(path)):
                try:
                    return await action(request, *found.groups())
                except Refused as e:
                    return _json({"error": str(e)}, e.status)
                except msgspec.MsgspecError as e:
                    return _json({"error": f"the body of {method} {path} is not what it takes: {e}"}, 400)
        return _json({"error": f"the admin API has no {request.method} {path}"}, 404)

    def _add(self, method: str, pattern: str, action: Action) -> None:
        self._routes.append((method, re.compile(re.escape(ADMIN_PREFIX) + pattern), action))

    async def _ready(self, request: web.BaseRequest) -> web.StreamResponse:
        return _json({"ready": True})

    async def _failure(self, request: web.BaseRequest) -> web.StreamResponse:
        """What of the control plane died unasked, as a sentence; null where all is well."""
        return _json({"failure": self._front.emulators.failure})

    async def _changes(self, request: web.BaseRequest) -> web.StreamResponse:
        """The endless stream of changes; its first line is empty, so that a listener knows it is connected."""
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        queue = self._front.changes.listen()
        try:
            await response.prepare(request)
            await response.write(b"\n")
            while line := await queue.get():
                while not queue.empty():
                    line += queue.get_nowait()
                await response.write(line)
        except ConnectionError:
            pass  # the listener went away
        finally:
            self._front.changes.leave(queue)
        return response

    async def _region(self, request: web.BaseRequest, region: str) -> web.StreamResponse:
        request_body = msgspec.json.decode(await request.content.read(), type=_Region)
        if region not in {r.name for r in self._front.layout.regions}:
            raise Refused(404, f"{region} is no region of this run")
        changed = await self._front.region_up(region, request_body.up)
        if changed:
            self._front.changes.emit(region, "region", "_RegionUp" if request_body.up else "_RegionDown", region)
        return _json({"up": request_body.up, "changed": changed})

    async def _health_check(self, request: web.BaseRequest, check: str) -> web.StreamResponse:
        request_body = msgspec.json.decode(await request.content.read(), type=_HealthCheck)
        observations = [
            {
                "Region": o.region,
                "IPAddress": o.ip,
                "StatusReport": {"Status": o.status, "CheckedTime": o.checked_at},
            }
            for o in request_body.observations
        ]
        return await self._observed(
            "route53", "_HealthCheckObserved", "", check, "route53_health", "observe", check, observations
        )

    async def _cluster(self, request: web.BaseRequest, region: str, cluster: str) -> web.StreamResponse:
        request_body = msgspec.json.decode(await request.content.read(), type=_Cluster)
        fields = msgspec.structs.asdict(request_body)
        return await self._observed(
            "rds", "_ClusterObserved", region, cluster, "rds_clusters", "observe", region, cluster, fields
        )

    async def _global_cluster(self, request: web.BaseRequest, cluster: str) -> web.StreamResponse:
        request_body = msgspec.json.decode(await request.content.read(), type=_GlobalCluster)
        return await self._observed(
            "rds",
            "_GlobalClusterObserved",
            "",
            cluster,
            "rds_global",
            "complete",
            cluster,
            request_body.writer_arn,
            request_body.status,
        )

    async def _credentials(self, request: web.BaseRequest, region: str, cluster: str) -> web.StreamResponse:
        return _json(await self._ask("rds", "rds_clusters", "credentials", region, cluster))

    async def _cloudwatch_feed(self, request: web.BaseRequest, region: str, after: str) -> web.StreamResponse:
        return _json(await self._ask("cloudwatch", "cloudwatch_feed", "read", region, int(after)))

    async def _paused_replication(self, request: web.BaseRequest) -> web.StreamResponse:
        return _json({"paused": self._front.fis.paused_replication()})

    async def _code(self, request: web.BaseRequest, region: str, function: str, digest: str) -> web.StreamResponse:
        code: bytes = await self._ask("awslambda", "lambda_code", "code_of", region, function, digest)
        return web.Response(body=code, content_type="application/zip")

    async def _observed(
        self, service: str, action: str, region: str, resource: str, overlay: str, function: str, *args: Any
    ) -> web.StreamResponse:
        """Hand an observation to its overlay and tell reconcilers where it is news."""
        changed = bool(await self._ask(service, overlay, function, *args))
        if changed:
            self._front.changes.emit(region, service, action, resource)
        return _json({"changed": changed})

    async def _ask(self, service: str, overlay: str, function: str, *args: Any) -> Any:
        account = self._front.layout.account_id
        try:
            return await self._front.moto.overlay(service, overlay, function, account, *args)
        except LookupError as e:
            named = ", ".join(str(a) for a in args if isinstance(a, str))
            raise Refused(404, str(e) if type(e) is LookupError else f"{service} has nothing called {named}") from e


class _Region(msgspec.Struct, forbid_unknown_fields=True):
    up: bool


class _Observation(msgspec.Struct, forbid_unknown_fields=True):
    region: str
    ip: str
    status: str
    checked_at: datetime


class _HealthCheck(msgspec.Struct, forbid_unknown_fields=True):
    observations: list[_Observation]


class _Cluster(msgspec.Struct, forbid_unknown_fields=True):
    status: str | None = None
    endpoint: str | None = None
    reader_endpoint: str | None = None
    port: int | None = None
    instance_status: str | None = None


class _GlobalCluster(msgspec.Struct, forbid_unknown_fields=True):
    writer_arn: str
    status: str = "available"


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
