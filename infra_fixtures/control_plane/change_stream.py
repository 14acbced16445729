"""The change stream: every mutating API call that succeeded, told at once to whoever listens."""

from __future__ import annotations

import asyncio
import time

import msgspec

from infra_fixtures.internal_api.changes import Change

BACKLOG = 20_000
"""Changes a listener may be behind before it is cut off; it then reconnects and looks at everything anew."""


class ChangeStream:
    """Numbers changes and hands them to its listeners; belongs to one event loop."""

    def __init__(self) -> None:
        self._seq = 0
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._encoder = msgspec.json.Encoder()

    def emit(self, region: str, service: str, action: str, resource: str = "") -> None:
        """Tell every listener that something changed just now."""
        self._seq += 1
        change = Change(self._seq, time.monotonic_ns(), region, service, action, resource)
        line = self._encoder.encode(change) + b"\n"
        for queue in tuple(self._listeners):
            try:
                queue.put_nowait(line)
            except asyncio.QueueFull:
                self._listeners.discard(queue)
                queue.get_nowait()
                queue.put_nowait(b"")

    def listen(self) -> asyncio.Queue[bytes]:
        """A queue of JSON lines from now on; an empty one means that the listener fell too far behind."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(BACKLOG)
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[bytes]) -> None:
        """Stop telling a listener."""
        self._listeners.discard(queue)
