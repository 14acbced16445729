"""Asynchronous invocations: accepted at once, run later, and tried again as Lambda does.

A function error is tried again twice, after one minute and after two more; a throttled event goes back to the queue
with a growing delay (1 s to 5 min) until it is six hours old. All delays run at the layout's pace. Source: AWS Lambda
developer guide, "How Lambda handles errors and retries with asynchronous invocation". The queue is the region's own and
lives in memory: it ends with the region's process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from infra_fixtures.data_plane.lambda_runtime.definition import Retries
from infra_fixtures.data_plane.lambda_runtime.invocation import InvokeResult
from infra_fixtures.pace import Timer, paced

log = logging.getLogger(__name__)

ERROR_DELAYS_S = (60.0, 120.0)
FIRST_THROTTLE_DELAY_S = 1.0
LAST_THROTTLE_DELAY_S = 300.0


class EventQueue:
    """The events of one region's functions; `pace` divides every delay."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._events: set[asyncio.Task[None]] = set()

    def put(self, function: str, run: Callable[[], Awaitable[InvokeResult]], retries: Retries) -> None:
        """Run an event until it succeeded or is given up."""
        task = asyncio.get_running_loop().create_task(self._see_through(function, run, retries))
        self._events.add(task)
        task.add_done_callback(self._events.discard)

    async def close(self) -> None:
        """Drop what is queued."""
        for task in self._events:
            task.cancel()
        await asyncio.gather(*self._events, return_exceptions=True)

    async def _see_through(self, function: str, run: Callable[[], Awaitable[InvokeResult]], retries: Retries) -> None:
        oldest_s = time.monotonic() + paced(self._pace, Timer.EVENT_AGE, retries.most_age_s)
        errors, throttle_delay_s = 0, FIRST_THROTTLE_DELAY_S
        while True:
            result = await run()
            if result.status == 200:
                if result.function_error is None:
                    return
                if errors >= retries.attempts:
                    break
                delay_s = ERROR_DELAYS_S[min(errors, len(ERROR_DELAYS_S) - 1)]
                errors += 1
            elif result.status == 429:
                delay_s = throttle_delay_s
                throttle_delay_s = min(throttle_delay_s * 2, LAST_THROTTLE_DELAY_S)
            else:
                break
            delay_s = paced(self._pace, Timer.EVENT_RETRY, delay_s)
            if time.monotonic() + delay_s > oldest_s:
                break
            await asyncio.sleep(delay_s)
        log.warning(
            "event for %s given up (%s): %s", function, result.status, result.payload[:500].decode("utf-8", "replace")
        )
