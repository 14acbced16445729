"""The harness's own door into the control plane: what AWS's internals would do, on the internal listener alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

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
        self._add("GET", "changes", self._changes)
        self._add("PUT", "regions/([^/]+)", self._region)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
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
        asked = msgspec.json.decode(await request.content.read(), type=_Region)
        if region not in {r.name for r in self._front.site.regions}:
            raise Refused(404, f"{region} is no region of this run")
        changed = await self._front.region_up(region, asked.up)
        if changed:
            self._front.changes.emit(region, "region", "_RegionUp" if asked.up else "_RegionDown", region)
        return _json({"up": asked.up, "changed": changed})


class _Region(msgspec.Struct, forbid_unknown_fields=True):
    up: bool


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
