"""How control APIs answer: JSON, the stamps of what was done, and one sentence where it was not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout
from infra_fixtures.processes.supervisor import Span


class Refused(Exception):
    """What was asked cannot be done now; the sentence says why. `status` is HTTP's: 404 nothing of that name, 409 not as
    things are, 503 nobody there who could do it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@web.middleware
async def plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What a caller can mend comes as a sentence with its status."""
    try:
        return await handler(request)
    except Refused as e:
        return as_json({"error": str(e)}, e.status)
    except (UnusableInput, msgspec.DecodeError) as e:
        return as_json({"error": str(e)}, 400)
    except WaitTimeout as e:
        return as_json({"error": str(e)}, 504)


def as_json(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def stamped(span: Span, **more: Any) -> web.Response:
    """When it was done, and what more there is to say of it."""
    return as_json({"began_ns": span.began_ns, "ended_ns": span.ended_ns, **more})
