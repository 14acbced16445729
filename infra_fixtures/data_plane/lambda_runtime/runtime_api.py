"""The Lambda Runtime API as one worker sees it, in as little Python as it takes.

Every invocation passes here twice, so this is a bare asyncio protocol and not an HTTP framework: it understands the
requests that a runtime interface client sends (GET next, POST response, POST error, POST init/error) and no more.
Only the user that the worker runs as is answered: on AWS nobody else is in the sandbox.
Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01).
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from infra_fixtures.access.peer import user_of

NEXT = b"GET /2018-06-01/runtime/invocation/next "
INVOCATION = b"/2018-06-01/runtime/invocation/"
INIT_ERROR = b"/2018-06-01/runtime/init/error"

MOST_PAYLOAD_BYTES = 6_291_556
"""The largest synchronous payload, 6 MB plus the overhead AWS allows (Lambda quotas)."""

ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'
)
TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
MOST_REFUSED_BYTES = 65_536
"""What a stranger may send before the connection is cut."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Runtime(Protocol):
    """What the Runtime API tells of: a worker."""

    @property
    def user(self) -> int:
        """The uid that may speak for it."""

    def next_requested(self, channel: RuntimeChannel) -> None:
        """The runtime asks for an invocation; `channel.deliver` answers, now or later."""

    def answered(self, request_id: str, payload: bytes, *, failed: bool) -> bool:
        """The function returned (or raised); False where no such invocation is under way."""

    def init_failed(self, payload: bytes) -> None:
        """The function's module could not be loaded."""


class RuntimeChannel(asyncio.Protocol):
    """One keep-alive connection from a worker's runtime interface client."""

    __slots__ = ("_buffer", "_continue_sent", "_needed", "_refused", "_runtime", "_transport")

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._buffer = bytearray()
        self._needed = 0
        self._refused = False
        self._continue_sent = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and know whether another user is at its other end."""
        self._transport = cast(asyncio.Transport, transport)
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._refused = user_of(peer[:2], here[:2]) != self._runtime.user

    def connection_lost(self, exc: Exception | None) -> None:
        """The process's end is told by what it was forked from; here nothing is left to do."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Take whole requests out of the stream."""
        buffer = self._buffer
        buffer += data
        if self._refused and len(buffer) > MOST_REFUSED_BYTES:
            self.close()
            return
        while len(buffer) > self._needed:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if buffer.startswith(NEXT):
                del buffer[: end + 4]
                if self._refused:
                    self._write(FORBIDDEN)
                else:
                    self._runtime.next_requested(self)
                continue
            head = bytes(buffer[:end])
            length = _content_length(head)
            if length is None:
                self._write(BAD_REQUEST)
                self.close()
                return
            whole = end + 4 + length
            if len(buffer) < whole:
                self._needed = whole - 1
                if not self._continue_sent and b"100-continue" in head.lower():
                    self._continue_sent = True
                    self._write(CONTINUE)
                return
            body = bytes(buffer[end + 4 : whole])
            del buffer[:whole]
            self._needed = 0
            self._continue_sent = False
            self._request(head, body)

    def deliver(self, head: bytes, payload: bytes) -> bool:
        """Answer GET next with an invocation; False where the runtime is gone."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(head + payload)
        return True

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _request(self, head: bytes, body: bytes) -> None:
        path = head[: head.find(b"\r\n")].split(b" ")[1]
        if self._refused:
            self._write(FORBIDDEN)
        elif path.startswith(INVOCATION):
            request_id, _, verb = path[len(INVOCATION) :].partition(b"/")
            # The runtime goes on to GET next as soon as it is answered: answer it before working on the result.
            self._write(TOO_LARGE if len(body) > MOST_PAYLOAD_BYTES else ACCEPTED)
            self._runtime.answered(request_id.decode(), body, failed=verb == b"error")
        elif path == INIT_ERROR:
            self._write(ACCEPTED)
            self._runtime.init_failed(body)
        else:
            self._write(UNKNOWN)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _content_length(head: bytes) -> int | None:
    """The body's length; None where the request does not say one (a chunked body, which no runtime here sends)."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return 0 if lower.startswith(b"get ") else None
    stop = lower.find(b"\r\n", at + 17)
    text = lower[at + 17 : stop if stop >= 0 else len(lower)].strip()
    return int(text) if text.isdigit() else None
