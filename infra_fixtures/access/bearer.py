"""The run's own HTTP doors, which AWS does not have: each request must bear the run's secret (RFC 6750)."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra_fixtures.access.credentials import Credentials

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def bears(request: web.BaseRequest, credentials: Credentials) -> bool:
    """Whether a request bears the secret."""
    wanted = credentials.bearer["Authorization"]
    return hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode())


def refusal() -> web.Response:
    """What one without it is answered: 401."""
    return web.json_response(
        {"error": "this needs the run's own secret: Authorization: Bearer ..."},
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def demanding(credentials: Credentials) -> Any:
    """A middleware that lets nobody in without it."""

    @web.middleware
    async def demand(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request) if bears(request, credentials) else refusal()

    return demand
