"""One look at an endpoint, as one Route 53 health checker takes it.

A connection, with its TLS, within 4 s (10 s for TCP checks), a status 2xx or 3xx within 2 s of it, and for string matching the
string in the first 5,120 bytes of a body that arrives within 2 s more. Certificates are not validated, redirects not
followed. At pace N these limits are N times shorter, but never under half a second: a busy machine is not an outage.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp

from infra_fixtures.data_plane.route53.health import Endpoint
from infra_fixtures.pace import Timer, paced

SEARCHED_BYTES = 5120
DEFAULT_PORTS = {False: 80, True: 443}

NO_CONNECTION = "Failure: The health checker could not establish a connection within the timeout limit."
NO_RESPONSE = "Failure: The endpoint did not respond within the timeout limit."
NO_BODY = "Failure: The response body did not arrive within the timeout limit."

Resolve = Callable[[str], str | None]


class EndpointProbe:
    """Looks at endpoints; `resolve` finds the address of a domain name. Use it as an async context manager."""

    def __init__(self, pace: float, resolve: Resolve) -> None:
        self._pace = pace
        self._resolve = resolve
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> EndpointProbe:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(self._connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True, ssl=False),
            timeout=aiohttp.ClientTimeout(total=None, ceil_threshold=3600),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def check(self, endpoint: Endpoint, check_id: str) -> str:
        """What a checker reports: "Success: ..." or "Failure: ..."; never raises."""
        address = endpoint.ip or self._resolve(endpoint.host or "")
        if address is None:
            return f"Failure: DNS resolution failed: no IPv4 address for {endpoint.host}"
        try:
            if endpoint.type == "TCP":
                return await self._tcp(endpoint, address)
            return await self._http(endpoint, address, check_id)
        except (aiohttp.ClientSSLError, ssl.SSLError) as e:
            return f"Failure: TLS handshake failed: {e}. Resolved IP: {address}"
        except (aiohttp.ClientError, OSError, ValueError) as e:
            number = e.errno if isinstance(e, OSError) else None
            reason = os.strerror(number) if number else str(e) or type(e).__name__
            return f"Failure: {reason}. Resolved IP: {address}"

    async def _tcp(self, endpoint: Endpoint, address: str) -> str:
        try:
            async with asyncio.timeout(paced(self._pace, Timer.HEALTH_CHECK_TCP_CONNECT)):
                _, writer = await asyncio.open_connection(address, endpoint.port)
        except TimeoutError:
            return NO_CONNECTION
        writer.transport.abort()
        return "Success: TCP connection established"

    async def _http(self, endpoint: Endpoint, address: str, check_id: str) -> str:
        assert self._session is not None, "EndpointProbe is an async context manager"
        stage = SimpleNamespace(
            limit=asyncio.timeout(paced(self._pace, Timer.HEALTH_CHECK_CONNECT)), overdue=NO_CONNECTION
        )
        host = endpoint.host or address
        named = host if endpoint.port == DEFAULT_PORTS[endpoint.tls] else f"{host}:{endpoint.port}"
        try:
            async with (
                stage.limit,
                self._session.get(
                    f"{'https' if endpoint.tls else 'http'}://{address}:{endpoint.port}{endpoint.path}",
                    headers={
                        "Host": named,
                        "User-Agent": f"Amazon-Route53-Health-Check-Service (ref {check_id})",
                        "Accept": "*/*",
                    },
                    allow_redirects=False,
                    server_hostname=endpoint.host if endpoint.tls and endpoint.sni else None,
                    trace_request_ctx=stage,
                ) as response,
            ):
                said = f"HTTP Status Code {response.status}, {response.reason or ''}".rstrip(", ")
                if not 200 <= response.status < 400:
                    return f"Failure: {said}. Resolved IP: {address}"
                if endpoint.search is None:
                    return f"Success: {said}"
                self._next_stage(stage, Timer.HEALTH_CHECK_BODY, NO_BODY)
                if endpoint.search.encode() in await _beginning(response.content):
                    return f"Success: {said}. Search string found"
                return f"Failure: {said}. Search string not found in the first {SEARCHED_BYTES} bytes of the body"
        except TimeoutError:
            return str(stage.overdue)

    async def _connected(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, _: aiohttp.TraceConnectionCreateEndParams
    ) -> None:
        self._next_stage(context.trace_request_ctx, Timer.HEALTH_CHECK_RESPONSE, NO_RESPONSE)

    def _next_stage(self, stage: SimpleNamespace, timer: Timer, overdue: str) -> None:
        if stage.limit.expired():  # too late, in this very moment
            return
        stage.overdue = overdue
        stage.limit.reschedule(asyncio.get_running_loop().time() + paced(self._pace, timer))


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    read = b""
    while len(read) < SEARCHED_BYTES:
        more = await content.read(SEARCHED_BYTES - len(read))
        if not more:
            break
        read += more
    return read
