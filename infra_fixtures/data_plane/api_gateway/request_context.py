"""The context of one request in the gateway: what is known of it, and how it may end early."""

from __future__ import annotations

import base64
import os
import time
import uuid
from urllib.parse import unquote

from aiohttp import web

from infra_fixtures.data_plane.api_gateway.deployed import Stage
from infra_fixtures.data_plane.api_gateway.gateway_responses import GatewayResponse
from infra_fixtures.data_plane.api_gateway.routing import Method


class Refused(Exception):
    """The gateway answers by itself; `detail` goes to the access log only."""

    def __init__(self, answer: GatewayResponse, detail: str = "") -> None:
        super().__init__(answer.kind)
        self.response = answer
        self.detail = detail


class RequestContext:
    """What is learnt of one request on its way through."""

    __slots__ = (
        "api_key_id",
        "error",
        "error_detail",
        "extended_id",
        "host",
        "http_method",
        "integration_ms",
        "integration_request_id",
        "method",
        "path",
        "query",
        "request_id",
        "source_ip",
        "stage",
        "trace_id",
    )

    def __init__(self, request: web.BaseRequest) -> None:
        raw, _, self.query = request.raw_path.partition("?")
        self.path = unquote(raw) if "%" in raw else raw
        self.http_method = request.method
        self.host = request.headers.get("Host", "").rpartition("@")[2].partition(":")[0].lower()
        self.source_ip = request.remote or ""
        self.request_id = str(uuid.uuid4())
        random = os.urandom(21)
        self.extended_id = base64.b64encode(random[:9]).decode() + "="
        self.trace_id = request.headers.get("X-Amzn-Trace-Id") or f"Root=1-{int(time.time()):08x}-{random[9:21].hex()}"
        self.stage: Stage | None = None
        self.method: Method | None = None
        self.api_key_id: str | None = None
        self.integration_ms: float | None = None
        self.integration_request_id = ""
        self.error = ""
        self.error_detail = ""

    def refuse(self, answer: GatewayResponse, detail: str) -> web.Response:
        """The gateway's own answer."""
        self.error, self.error_detail = answer.kind, detail
        headers = {"x-amzn-ErrorType": answer.error_type, "Content-Type": "application/json"}
        return web.Response(status=answer.status, body=answer.body, headers=headers)
