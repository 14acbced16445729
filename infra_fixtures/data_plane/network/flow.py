"""One connection over a link: two sockets, and between them two ways with their delay, width and darkness."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING

from infra_fixtures.data_plane.network.conditions import Conditions, Way
from infra_fixtures.site import Address

if TYPE_CHECKING:
    from infra_fixtures.data_plane.network.link import Link

QUEUE_LIMIT = 4 << 20
"""Bytes on their way in one direction before the sender has to wait: more than any drill's link holds."""
SLICE_S = 0.01
"""With a bandwidth limit, bytes are let through in pieces of this time's worth."""
_NO_LINGER = struct.pack("ii", 1, 0)
_TCP_CLOSE_WAIT, _TCP_CLOSE = 8, 7


class Flow:
    """A connection: `established` once it reaches the target, `dark` once packets no longer pass (for good)."""

    def __init__(self, link: Link, client: socket.socket, source: int) -> None:
        self.link = link
        self.source = source
        self.established = False
        self.beginning = False
        self.tracked = True
        self.dark = False
        self._waiting: socket.socket | None = client
        self._client = _End(self, up=True)
        self._server = _End(self, up=False)
        self._client.peer, self._server.peer = self._server, self._client

    async def establish(self, target: Address, *, tracked: bool) -> None:
        """Connect to the target and let bytes pass; OSError where it is not to be had."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._server, target.host, target.port)
        client, self._waiting = self._waiting, None
        if client is None:  # reset meanwhile
            self._server.reset()
            return
        self.tracked = tracked
        self.established = True
        await loop.connect_accepted_socket(lambda: self._client, client)

    def darken(self, conditions: Conditions) -> None:
        """From now on nothing passes; in one direction only where `conditions` say so. What was on its way is lost."""
        self.dark = True
        one_way = conditions.dark and not (conditions.up.black_hole and conditions.down.black_hole)
        for end, way in ((self._client, conditions.up), (self._server, conditions.down)):
            if way.black_hole or not one_way:
                end.darken()

    def reset(self) -> None:
        """End it with RST at both sides."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            waiting.close()
        self._client.reset()
        self._server.reset()
        self.link.forget(self)

    def lost(self, end: _End, error: Exception | None) -> None:
        """One side is gone: the other is told likewise, unless the link is dark."""
        if end.peer.gone:
            self.link.forget(self)
        elif self.dark:
            return
        elif error is not None:
            self.reset()
        else:
            end.peer.finish()

    def tidy(self) -> None:
        """Let go of a side that has closed while the flow hangs; the other side is not told."""
        if self._waiting is not None:
            if _closed_by_peer(self._waiting):
                self.reset()
            return
        for end in (self._client, self._server):
            sock = end.socket
            if sock is not None and not end.gone and _closed_by_peer(sock):
                end.reset()
        if self._client.gone and self._server.gone:
            self.link.forget(self)


def _closed_by_peer(sock: socket.socket) -> bool:
    """A paused socket does not tell of its peer's end; the kernel knows."""
    if sock.fileno() < 0:
        return True
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in (_TCP_CLOSE_WAIT, _TCP_CLOSE)


class _End(asyncio.Protocol):
    """One side of a flow; what it receives goes to its peer, by its own way."""

    peer: _End

    def __init__(self, flow: Flow, *, up: bool) -> None:
        self._flow = flow
        self._up = up
        self._transport: asyncio.Transport | None = None
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._queued = 0
        self._wide_from = 0.0
        self._last_due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._holds: set[str] = set()
        self._early: list[bytes | None] = []
        self._ended = False
        self.gone = False

    @property
    def socket(self) -> socket.socket | None:
        """The socket itself."""
        if self._transport is None:
            return None
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        return sock

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # asyncio sets this only where the socket was made with an explicit protocol number, which accepted ones are not;
        # without it Nagle and delayed acknowledgements add 40 ms to every exchange of several small messages.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._flow.dark:
            self.darken()
        early, self._early = self._early, []
        for data in early:  # what the target said before the client's side was ready
            self._pass(data)

    def data_received(self, data: bytes) -> None:
        link = self._flow.link
        if self._up:
            link.bytes_up += len(data)
            way = link.conditions.up
        else:
            link.bytes_down += len(data)
            way = link.conditions.down
        if way.plain and not self._queue:
            self.peer._pass(data)
        else:
            self._send_later(data, way)

    def eof_received(self) -> bool:
        if self._ended:  # told again after a pause
            return True
        self._ended = True
        if self._queue:
            self._queue.append((self._last_due, None))
        else:
            self.peer._pass(None)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self._flow.lost(self, error)

    def pause_writing(self) -> None:
        self.peer._hold("peer is slow")

    def resume_writing(self) -> None:
        self.peer._release("peer is slow")

    def darken(self) -> None:
        """Take nothing more from this side, and lose what is on its way from it."""
        self._queue.clear()
        self._queued = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hold("dark")

    def finish(self) -> None:
        """Close this side after what is still to be sent to it."""
        if self.peer._queue:  # its closing is on the way behind its data
            return
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close this side with RST."""
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        sock = self.socket
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()

    def _pass(self, data: bytes | None) -> None:
        """Give the other side's bytes (None: its end of stream) to this side's socket."""
        transport = self._transport
        if transport is None:
            self._early.append(data)
        elif transport.is_closing():
            return
        elif data is not None:
            transport.write(data)
        elif self._ended:  # both streams are over
            transport.close()
        else:
            transport.write_eof()

    def _send_later(self, data: bytes, way: Way) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        size = max(int(way.bandwidth * SLICE_S), 1460) if way.bandwidth else len(data)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            sent = now
            if way.bandwidth:
                self._wide_from = sent = max(now, self._wide_from) + len(piece) / way.bandwidth
            delay = (way.latency_ms + random.uniform(0.0, way.jitter_ms)) / 1000.0
            self._last_due = max(self._last_due, sent + delay)  # TCP delivers in order
            self._queue.append((self._last_due, piece))
        self._queued += len(data)
        if self._queued > QUEUE_LIMIT:
            self._hold("queue is full")
        if self._timer is None:
            self._timer = loop.call_at(self._queue[0][0], self._deliver)

    def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now = loop.time()
        while self._queue and self._queue[0][0] <= now:
            data = self._queue.popleft()[1]
            self._queued -= len(data) if data is not None else 0
            self.peer._pass(data)
        if self._queued <= QUEUE_LIMIT // 2:
            self._release("queue is full")
        if self._queue:
            self._timer = loop.call_at(self._queue[0][0], self._deliver)
        elif self.gone:
            self.peer.finish()

    def _hold(self, why: str) -> None:
        if not self._holds and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds.add(why)

    def _release(self, why: str) -> None:
        self._holds.discard(why)
        if not self._holds and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
