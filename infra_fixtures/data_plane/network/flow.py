"""One connection over a link: two sockets, and between them two ways, each with its delay, bandwidth, stalls and cut."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import deque
from typing import NamedTuple, Protocol

from infra_fixtures.access.peer import require_server
from infra_fixtures.data_plane.network.conditions import Conditions, Way
from infra_fixtures.data_plane.network.stalls import StallClock
from infra_fixtures.run_layout import Address

QUEUE_LIMIT = 4 << 20
"""Bytes on their way in one direction before the sender has to wait: more than any drill's link holds."""
SLICE_S = 0.01
"""With a bandwidth limit, bytes are let through in pieces of this time's worth."""
_NO_LINGER = struct.pack("ii", 1, 0)
_TCP_CLOSE_WAIT, _TCP_CLOSE = 8, 7


class Carrier(Protocol):
    """The link that a connection goes over, as far as the connection knows it."""

    bytes_up: int
    bytes_down: int

    @property
    def conditions(self) -> Conditions:
        """What is done to what passes."""

    def service_of(self, data: bytes) -> str:
        """Which service of AWS a connection's first bytes are for; empty where that cannot be told."""

    def settle(self, flow: Flow) -> bool:
        """Cut a connection where packets do not pass; whether they do not."""

    def forget(self, flow: Flow) -> None:
        """A connection has ended."""


class Flow:
    """A connection: `established` once it reaches the target.

    `cut_up` and `cut_down` say that packets no longer pass in that direction. That is for good: what was on its way is lost.
    """

    def __init__(self, link: Carrier, client: socket.socket, source: int) -> None:
        self.link = link
        self.source = source
        self.established = False
        self.beginning = False
        self.tracked = True
        self.cut_up = self.cut_down = False
        self.service: str | None = None
        self._waiting: socket.socket | None = client
        self._client = _End(self, up=True)
        self._server = _End(self, up=False)
        self._client.peer, self._server.peer = self._server, self._client

    async def establish(self, target: Address, owner: int | None, *, tracked: bool) -> None:
        """Connect to the target and let bytes pass; OSError where it is not to be had.

        ForeignServer where another user than `owner` (None: this process's own) listens there: no byte has passed then.
        """
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self._server, target.host, target.port)
        if self._server.socket is not None:
            require_server(self._server.socket, owner)
        client, self._waiting = self._waiting, None
        if client is None:  # reset meanwhile
            self._server.reset()
            return
        self.tracked = tracked
        self.established = True
        await loop.connect_accepted_socket(lambda: self._client, client)

    @property
    def partitioned(self) -> bool:
        """Whether packets no longer pass in one direction or both."""
        return self.cut_up or self.cut_down

    def cut(self, *, up: bool, down: bool) -> None:
        """From now on nothing passes in these directions."""
        self.cut_up |= up
        self.cut_down |= down
        if self.cut_up:
            self._client.cut()
        if self.cut_down:
            self._server.cut()

    def admits(self, data: bytes) -> bool:
        """Whether what the client sends passes: its first bytes say which service the connection is to."""
        if self.service is None:
            self.service = self.link.service_of(data)
            self.link.settle(self)
        return not self.cut_up

    def retime(self, up: Way, down: Way) -> None:
        """Conditions have changed: what is on its way arrives as they are now, and not as they were when it set out."""
        self._client.retime(up)
        self._server.retime(down)

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
        """One side is gone: the other is told likewise, unless packets do not pass."""
        if end.peer.closed:
            self.link.forget(self)
        elif self.partitioned:
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
            if sock is not None and not end.closed and _closed_by_peer(sock):
                end.reset()
        if self._client.closed and self._server.closed:
            self.link.forget(self)


def _closed_by_peer(sock: socket.socket) -> bool:
    """A paused socket does not tell of its peer's end; the kernel knows."""
    if sock.fileno() < 0:
        return True
    state: int = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state in (_TCP_CLOSE_WAIT, _TCP_CLOSE)


class _Piece(NamedTuple):
    """Bytes on their way (None: the end of the stream): when they entered the link, and when they are due at its end."""

    due_s: float
    entered_s: float
    data: bytes | None


class _End(asyncio.Protocol):
    """One side of a flow; what it receives goes to its peer, by its own way."""

    peer: _End

    def __init__(self, flow: Flow, *, up: bool) -> None:
        self._flow = flow
        self._up = up
        self._transport: asyncio.Transport | None = None
        self._queue: deque[_Piece] = deque()
        self._stalls = StallClock()
        self._queued = 0
        self._line_free_s = 0.0
        self._last_due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._holds: set[str] = set()
        self._early: list[bytes | None] = []
        self._ended = False
        self.closed = False

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
        if self._flow.cut_up if self._up else self._flow.cut_down:
            self.cut()
        early, self._early = self._early, []
        for data in early:  # what the target said before the client's side was ready
            self._pass(data)

    def data_received(self, data: bytes) -> None:
        link = self._flow.link
        if self._up and not self._flow.admits(data):
            return
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
            self._queue.append(_Piece(self._last_due_s, self._last_due_s, None))
        else:
            self.peer._pass(None)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._flow.lost(self, error)

    def pause_writing(self) -> None:
        self.peer._hold("peer is slow")

    def resume_writing(self) -> None:
        self.peer._release("peer is slow")

    def cut(self) -> None:
        """Take nothing more from this side, and lose what is on its way from it."""
        self._queue.clear()
        self._queued = 0
        self._stop_timer()
        self._hold("cut")

    def retime(self, way: Way) -> None:
        """Decide anew when what is on its way arrives."""
        if not self._queue:
            return
        self._stop_timer()
        pieces, self._queue = self._queue, deque()
        self._line_free_s = asyncio.get_running_loop().time()
        self._last_due_s = 0.0
        for piece in pieces:
            self._enqueue(piece.data, piece.entered_s, way)
        self._deliver()

    def finish(self) -> None:
        """Close this side after what is still to be sent to it."""
        if self.peer._queue:  # its closing is on the way behind its data
            return
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Close this side with RST."""
        self.closed = True
        self._stop_timer()
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
        now_s = loop.time()
        size = max(int(way.bandwidth * SLICE_S), 1460) if way.bandwidth else len(data)
        for start in range(0, len(data), size):
            self._enqueue(data[start : start + size], now_s, way)
        self._queued += len(data)
        if self._queued > QUEUE_LIMIT:
            self._hold("queue is full")
        if self._timer is None:
            self._timer = loop.call_at(self._queue[0].due_s, self._deliver)

    def _enqueue(self, data: bytes | None, entered_s: float, way: Way) -> None:
        """Put a piece behind the others, as TCP delivers in order."""
        if data is not None:
            start_s = max(entered_s, self._line_free_s) if way.bandwidth else entered_s
            sent_s = self._stalls.passes_at(start_s, way.stalls)
            if way.bandwidth:
                self._line_free_s = sent_s = sent_s + len(data) / way.bandwidth
            delay_s = (way.latency_ms + random.uniform(0.0, way.jitter_ms)) / 1000.0
            self._last_due_s = max(self._last_due_s, sent_s + delay_s)
        self._queue.append(_Piece(self._last_due_s, entered_s, data))

    def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now_s = loop.time()
        while self._queue and self._queue[0].due_s <= now_s:
            data = self._queue.popleft().data
            self._queued -= len(data) if data is not None else 0
            self.peer._pass(data)
        if self._queued <= QUEUE_LIMIT // 2:
            self._release("queue is full")
        if self._queue:
            self._timer = loop.call_at(self._queue[0].due_s, self._deliver)
        elif self.closed:
            self.peer.finish()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hold(self, why: str) -> None:
        if not self._holds and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds.add(why)

    def _release(self, why: str) -> None:
        self._holds.discard(why)
        if not self._holds and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
