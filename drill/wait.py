"""The one poller: every wait has a limit and says what it waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class WaitTimeout(TimeoutError):
    """A condition did not come true in time; the message says which and how long it was awaited."""


def wait_until(condition: Callable[[], T], *, what: str, timeout_s: float, every_s: float = 0.02) -> T:
    """Poll `condition` until it is truthy and return its value; raise WaitTimeout after `timeout_s` seconds."""
    limit = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= limit:
            raise WaitTimeout(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(every_s)


async def await_until(
    condition: Callable[[], Awaitable[T]], *, what: str, timeout_s: float, every_s: float = 0.02
) -> T:
    """The same for coroutines."""
    limit = time.monotonic() + timeout_s
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() >= limit:
            raise WaitTimeout(f"waited {timeout_s:g} s in vain for {what}")
        await asyncio.sleep(every_s)
