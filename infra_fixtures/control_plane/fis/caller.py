"""FIS at work in a region: the calls that it makes as an experiment's role, each of them recorded.

Calls go where the region's own users call, signed with the role's keys. While the region is lost its FIS is lost as well:
what it has begun to do waits until the region is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

from infra_fixtures.internal_api.clients import call, client, client_as
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

UNREACHABLE = (EndpointConnectionError, ConnectTimeoutError, HTTPClientError)
AGAIN_S = 0.2


class RegionGate:
    """Whether a region stands; belongs to one event loop."""

    def __init__(self) -> None:
        self._up = asyncio.Event()
        self._up.set()

    @property
    def is_up(self) -> bool:
        """Whether it stands now."""
        return self._up.is_set()

    def set(self, up: bool) -> None:
        """The region is lost, or back."""
        if up:
            self._up.set()
        else:
            self._up.clear()

    async def wait(self) -> None:
        """Until it stands."""
        await self._up.wait()


class Caller:
    """Calls the AWS API of one region as one role, on behalf of `subject` (experiment/action) in the records."""

    def __init__(
        self, layout: RunLayout, region: str, role_arn: str, gate: RegionGate, events: EventLog, subject: str
    ) -> None:
        self.layout = layout
        self.region = region
        self.role_arn = role_arn
        self.subject = subject
        self._gate = gate
        self._events = events

    def of(self, subject: str) -> Caller:
        """The same on behalf of another subject."""
        return Caller(self.layout, self.region, self.role_arn, self._gate, self._events, subject)

    async def do(self, service: str, operation: str, /, **parameters: Any) -> Any:
        """One call (`operation` as botocore's clients name it); ClientError where AWS says no.

        Who is cancelled in it is so only once the call has ended: what follows may undo it.
        """
        await self._gate.wait()
        made = await call(client_as, self.layout, self.role_arn, service, self.region)
        self._events.record("fis.call", self.subject, f"{self.role_arn} {service}:{operation} {self.region}")
        return await _to_its_end(call(getattr(made, operation), **parameters))

    async def pages(self, service: str, operation: str, /, **parameters: Any) -> list[Mapping[str, Any]]:
        """All pages of an operation that has them."""
        await self._gate.wait()
        made = await call(client_as, self.layout, self.role_arn, service, self.region)
        return await call(lambda: list(made.get_paginator(operation).paginate(**parameters)))

    async def look(self, service: str, operation: str, /, **parameters: Any) -> Any:
        """A call of FIS itself (its service-linked role), not of the experiment's role."""
        await self._gate.wait()
        made = await call(client, self.layout, service, self.region)
        return await call(getattr(made, operation), **parameters)

    async def until_done(self, undo: Callable[[], Any]) -> None:
        """Do what puts something back, again and again while nobody answers; ClientError where AWS says no."""
        while True:
            try:
                await self._gate.wait()
                await undo()
                return
            except UNREACHABLE as e:
                log.warning("%s could not yet put something back: %s", self.subject, e)
                await asyncio.sleep(AGAIN_S)


async def _to_its_end(calling: Coroutine[Any, Any, Any]) -> Any:
    task = asyncio.ensure_future(calling)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def code_of(error: ClientError) -> str:
    """The name of an AWS error."""
    return str(error.response["Error"].get("Code", ""))


def sentence_of(error: Exception) -> str:
    """What an error says, for a state's reason."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {code_of(error)}: {error.response['Error'].get('Message', '')}"
    return f"{type(error).__name__}: {error}"
