"""A real HTTP endpoint whose behaviour a test changes while it is being watched."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType

from aiohttp import web


class Endpoint:
    """Answers GET with `status` and `body` after `delay_s`, and `/slow-body` with a body after `delay_s`."""

    def __init__(self, host: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.host, self.port = host, port
        self.status, self.body, self.delay_s = 200, b"all is well", 0.0
        self.asked: list[tuple[str, str]] = []
        self._tls = tls
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Endpoint:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        layout = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._tls)
        await layout.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.path, request.headers["Host"]))
        if request.path != "/slow-body":
            await asyncio.sleep(self.delay_s)
            return web.Response(status=self.status, body=self.body)
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        await asyncio.sleep(self.delay_s)
        await response.write(self.body)
        return response
