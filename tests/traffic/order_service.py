"""A small real order service, one listener an address, whose behaviour a test can change while it runs.

It keeps its own log of every request it read, so that what clients recorded can be compared with what arrived.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Self

import msgspec

from traffic.load import amount_of


@dataclass
class Seen:
    """One request as the service read it."""

    at: float
    method: str
    path: str
    key: int
    connection: int
    headers: dict[str, str]


@dataclass
class OrderService:
    """Answers POST /orders and GET /orders/{key} on `host`:`port` from a thread of its own.

    `mode`: ok; frozen (reads, never answers); reset (reads, then RST); close (reads, then FIN); truncated (half an
    answer); silent_500; turned_away (503, stored false); forbidden; not_stored (201 without stored); altered (stored with
    another amount).
    """

    host: str
    port: int
    region: str
    mode: str = "ok"
    seen: list[Seen] = field(default_factory=list)
    stored: dict[int, int] = field(default_factory=dict)
    connections: int = 0
    delay_s: float = 0.0
    tls: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Close every connection and stop listening."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def writes(self) -> list[int]:
        """The keys of the orders that arrived, in order, as often as they arrived."""
        return [s.key for s in list(self.seen) if s.method == "POST"]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._talk, self.host, self.port, backlog=1024, ssl=self.tls)

    async def _end(self) -> None:
        self._server.close()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._one(reader, writer, number):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n", 1)[0].split(" ")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head.split("\r\n")[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        order = msgspec.json.decode(body) if method == "POST" else {"key": int(path.rpartition("/")[2])}
        self.seen.append(Seen(time.monotonic(), method, path, order["key"], number, headers))
        mode = self.mode
        if mode == "frozen":
            await asyncio.Event().wait()
        if mode == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        if mode == "close":
            return False
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        status, answer = self._answer(mode, method, order)
        text = msgspec.json.encode({"region": self.region, **answer})
        keep = headers.get("connection") != "close"
        if mode == "truncated":
            writer.write(b"HTTP/1.1 201 X\r\nContent-Length: 500\r\n\r\n" + text)
            return False
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nx-region: {self.region}\r\n"
            f"Content-Length: {len(text)}\r\n{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n".encode()
            + text
        )
        await writer.drain()
        return keep

    def _answer(self, mode: str, method: str, order: dict[str, int]) -> tuple[int, dict[str, object]]:
        key = order["key"]
        if mode == "silent_500":
            return 500, {"message": "Internal server error"}
        if mode == "turned_away":
            return 503, {"error": "ReadOnlySqlTransaction", "stored": False}
        if mode == "forbidden":
            return 403, {"message": "Forbidden"}
        if mode == "not_stored":
            return 201, {"key": key}
        if method == "GET":
            return (200, {"key": key, "amount": self.stored[key]}) if key in self.stored else (404, {})
        assert order["amount"] == amount_of(key)
        self.stored[key] = order["amount"] + (mode == "altered")
        return 201, {"key": key, "amount": self.stored[key], "stored": True, "receipt": bool(order["receipt"])}
