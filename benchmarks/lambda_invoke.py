"""The Lambda service: invocations a second of a function that does nothing, with 1 and 4 workers, and cold starts.

The service runs in this process and follows an embedded AWS API, its workers are real processes under AWS's own
runtime client. As many callers as workers invoke one after the other. A cold start is the first invocation of a
function that has no worker, less what a warm one takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median
from typing import Any

from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.place import private_aws
from drill.wait import await_until
from infra_fixtures.data_plane.lambda_runtime import LambdaService
from infra_fixtures.internal_api.clients import client
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import deploy

REGION = "us-east-1"
NOTHING = "import time\ndef handler(event, context):\n    time.sleep(event.get('hold_s', 0))\n    return event\n"
EVENT = b'{"n": 1}'
HOLD = b'{"hold_s": 1.0}'
"""Keeps a worker for longer than an invocation waits before another worker is started for it."""
WORKERS = (1, 4)
ROUNDS = 5
ROUND_S = 1.0
COLD = 7


def measure() -> Iterator[Figure]:
    """Warm invocations a second by workers, their ratio, round trip, cold starts in milliseconds."""
    with private_aws() as layout:

        def make(service: str, region: str) -> Any:
            return client(layout, service, region)

        cold = [f"cold-{n}" for n in range(COLD)]
        warm = [f"warm-{n}" for n in WORKERS]
        for name in (*cold, *warm):
            deploy(make, name, NOTHING, REGION)
        rates, cold_ms = asyncio.run(_measure(layout, cold, warm))
    for workers, found in rates.items():
        yield Figure.of(f"invocations, {workers} worker{'s' if workers > 1 else ''}", found, "/s")
    few, many = WORKERS
    ratios = [b / a for a, b in zip(rates[few], rates[many], strict=True)]
    yield Figure.of(f"{many} workers / {few} worker", ratios, "x", "callers and service share the machine with them")
    yield Figure.of("cold start", cold_ms, "ms", f"{COLD} functions, each invoked for the first time")


async def _measure(layout: RunLayout, cold: list[str], warm: list[str]) -> tuple[dict[int, list[float]], list[float]]:
    async with _reconciling(layout, [*cold, *warm]) as service:
        for name, workers in zip(warm, WORKERS, strict=True):
            await _warm_up(service, name, workers)
        rates: dict[int, list[float]] = {n: [] for n in WORKERS}
        for _ in range(ROUNDS):  # in turn, so that noise meets both
            for name, workers in zip(warm, WORKERS, strict=True):
                rates[workers].append(await _rate(service, name, workers))
        typical_ms = 1000 / median(rates[1])
        cold_ms = [await _timed_ms(service, name) - typical_ms for name in cold]
    return rates, cold_ms


@contextlib.asynccontextmanager
async def _reconciling(layout: RunLayout, names: list[str]) -> AsyncIterator[LambdaService]:
    async with LambdaService(layout, REGION) as service:
        task = asyncio.create_task(run_reconcilers(layout, service))
        try:

            async def known() -> bool:
                return all(service.find(name) is None for name in names)

            await await_until(known, what="the Lambda service to know its functions", timeout_s=30)
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _warm_up(service: LambdaService, name: str, workers: int) -> None:
    """Keep that many callers waiting until as many workers are there."""

    async def enough() -> bool:
        await asyncio.gather(*(_invoke(service, name, HOLD) for _ in range(workers)))
        return service.workers(name) >= workers

    await await_until(enough, what=f"{workers} workers of {name}", timeout_s=30, every_s=0.0)


async def _rate(service: LambdaService, name: str, callers: int) -> float:
    began = time.perf_counter()
    until = began + ROUND_S

    async def call() -> int:
        count = 0
        while time.perf_counter() < until:
            await _invoke(service, name)
            count += 1
        return count

    counts = await asyncio.gather(*(call() for _ in range(callers)))
    return sum(counts) / (time.perf_counter() - began)


async def _timed_ms(service: LambdaService, name: str) -> float:
    if service.workers(name):
        raise Failed(f"{name} has a worker already, so its first invocation is no cold start")
    began = time.perf_counter()
    await _invoke(service, name)
    return (time.perf_counter() - began) * 1000


async def _invoke(service: LambdaService, name: str, event: bytes = EVENT) -> None:
    result = await service.invoke(name, event)
    if result.status != 200 or result.function_error is not None:
        raise Failed(f"{name} answered {result.status} {result.function_error or ''} {result.payload[:200]!r}")
