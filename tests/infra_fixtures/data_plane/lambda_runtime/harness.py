"""A Lambda service that follows the module's control plane."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from drill.wait import await_until
from infra_fixtures.data_plane.lambda_runtime import InvokeResult, LambdaService
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import RunLayout

REGION = "us-east-1"


@contextlib.asynccontextmanager
async def reconciling(layout: RunLayout, *, settled: Callable[[LambdaService], bool]) -> AsyncIterator[LambdaService]:
    """A service that follows the API of `layout`, once `settled` says it knows what the test needs."""
    async with LambdaService(layout, REGION) as service:
        task = asyncio.create_task(run_reconcilers(layout, service))
        try:

            async def ready() -> bool:
                return settled(service)

            await await_until(ready, what="the service to know its functions", timeout_s=10)
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def ask(service: LambdaService, function: str, **event: Any) -> tuple[InvokeResult, Any]:
    """Invoke with a JSON event; the result and its decoded payload."""
    result = await service.invoke(function, json.dumps(event).encode())
    return result, json.loads(result.payload or b"null")


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run an asynchronous test to its end, within a minute."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await coroutine

    asyncio.run(limited())
