"""The service that fails as scripted, to the nanosecond of time.monotonic_ns(), and logs all it did.

Two regions and a name server in one process. What becomes of a request is decided when it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from benchmarks.calibrating.script import SLOW_S, How, Script, Whom
from tests.traffic.name_server import NameServer

NS = 1_000_000_000
LINGER = struct.pack("ii", 1, 0)
BREAKING = (How.RESET, How.CLOSED, How.FROZEN, How.ERROR)
"""Ways to fail that leave the client in doubt."""


class Read(msgspec.Struct, frozen=True, array_like=True):
    """One request as the service read it.

    `down`: the script says that service is down for it; `failed`: it was failed. They differ by chance alone.
    `stored`: its order is in the database. `acked_ns`: when the answer that says so was sent.
    """

    at_ns: int
    key: int
    order: bool
    receipt: bool
    down: bool
    failed: bool
    stored: bool
    in_doubt: bool
    acked_ns: int | None


class Log(msgspec.Struct, frozen=True):
    """All that happened: requests; when listeners closed or opened, as [before, after] by script; when DNS was asked."""

    reads: list[Read]
    closed: dict[int, tuple[int, int]]
    opened: dict[int, tuple[int, int]]
    flipped: dict[int, int]
    asked_ns: list[int]


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A script and when it starts, on time.monotonic_ns()."""

    script: Script
    start_ns: int

    def at_ns(self, s: float) -> int:
        """That second of the script."""
        return self.start_ns + round(s * NS)

    def hits(self, now_ns: int) -> bool:
        """Whether an outage is on."""
        return any(self.at_ns(a) <= now_ns < self.at_ns(b) for a, b in self.script.outages)


class ScriptedService:
    """Serves POST /orders and GET /orders/{key} on every one of `hosts` (region, address).

    DNS leads to the first; a GONE script moves it on to the next. Until it is told to play, all is well.
    """

    def __init__(self, hosts: Sequence[tuple[str, str]], port: int, names: NameServer, seed: int) -> None:
        self._hosts = hosts
        self._port = port
        self._names = names
        self._schedule: Sequence[Scheduled] = ()
        self._chance = random.Random(seed)
        self._here = 0
        self._now = 0
        self._listening: dict[int, asyncio.Server] = {}
        self._connections: dict[int, set[_Connection]] = {i: set() for i in range(len(hosts))}
        self._amounts: dict[int, int] = {}
        self.reads: list[Read] = []
        self._closed: dict[int, tuple[int, int]] = {}
        self._opened: dict[int, tuple[int, int]] = {}
        self._flipped: dict[int, int] = {}

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve while this lasts."""
        for host in range(len(self._hosts)):
            await self._listen(host)
        try:
            yield
        finally:
            for host in list(self._listening):
                self._vanish(host)

    def log(self) -> Log:
        """What happened so far."""
        asked = [round(at * NS) for at, _ in self._names.asked]
        return Log(self.reads, self._closed, self._opened, self._flipped, asked)

    async def play(self, schedule: Sequence[Scheduled]) -> None:
        """Fail by schedule; does what happens at an instant rather than to a request (listeners, DNS)."""
        self._schedule = schedule
        for i, scene in enumerate(schedule):
            script = scene.script
            if script.how is How.REFUSED:
                for a, b in script.outages:
                    await _until(scene.at_ns(a))
                    before = time.monotonic_ns()
                    self._vanish(self._here)
                    self._closed[i] = before, time.monotonic_ns()
                    await _until(scene.at_ns(b))
                    before = time.monotonic_ns()
                    await self._listen(self._here)
                    self._opened[i] = before, time.monotonic_ns()
            if script.how is How.GONE:
                assert script.dns_s is not None
                await _until(scene.at_ns(script.outages[0][0]))
                before, old = time.monotonic_ns(), self._here
                self._here = (old + 1) % len(self._hosts)
                self._vanish(old)
                self._closed[i] = before, time.monotonic_ns()
                await _until(scene.at_ns(script.dns_s))
                self._flipped[i] = time.monotonic_ns()
                self._names.addresses = (self._hosts[self._here][1],)
                await _until(scene.at_ns(script.lasts_s))
                await self._listen(old)

    async def _listen(self, host: int) -> None:
        loop = asyncio.get_running_loop()
        self._listening[host] = await loop.create_server(
            functools.partial(_Connection, self, host), self._hosts[host][1], self._port, backlog=1024
        )

    def _vanish(self, host: int) -> None:
        self._listening.pop(host).close()
        for connection in list(self._connections[host]):
            connection.reset()

    def scene(self, now_ns: int) -> Scheduled | None:
        """The script that plays now."""
        while self._now < len(self._schedule):
            scene = self._schedule[self._now]
            if now_ns < scene.at_ns(scene.script.lasts_s):
                return scene if now_ns >= scene.start_ns else None
            self._now += 1
        return None

    def serve(self, connection: _Connection, host: int, head: str, body: bytes) -> None:
        """Decide what becomes of a request, do it, and note it."""
        now_ns = time.monotonic_ns()
        fresh = "\r\nConnection: close" in head
        order = head.startswith("POST ")
        asked = msgspec.json.decode(body) if order else {"key": int(head.split(" ", 2)[1].rpartition("/")[2])}
        key, receipt = int(asked["key"]), bool(asked.get("receipt"))
        scene = self.scene(now_ns)
        how = scene.script.how if scene else How.TURNED_AWAY
        down = failed = False
        if scene is not None:
            whom = scene.script.whom
            meant = whom is Whom.ALL or (fresh if whom is Whom.FRESH else not order)
            down = meant and scene.hits(now_ns) and (receipt or how is not How.NO_RECEIPT)
            failed = self._chance.random() < (scene.script.share if down else scene.script.stray)
        whole = not failed or how in (How.SLOW, How.NO_RECEIPT)
        in_doubt = failed and order and how in BREAKING
        stored = order and (whole or (in_doubt and key % 2 == 0))
        if stored:
            self._amounts[key] = int(asked["amount"])
        acked_ns = time.monotonic_ns() if order and whole else None  # before, since the client may hear it at once
        if not failed:
            connection.answer(*self._done(host, order, key, receipt), close=fresh)
        elif how in (How.TURNED_AWAY, How.GONE, How.REFUSED):
            connection.answer(503, {"error": "ReadOnlySqlTransaction", "stored": False}, close=fresh)
        elif how is How.ERROR:
            connection.answer(500, {"message": "Internal server error"}, close=fresh)
        elif how is How.SLOW:
            status, words = self._done(host, order, key, receipt)
            later = functools.partial(connection.answer, status, words, close=fresh)
            asyncio.get_running_loop().call_later(SLOW_S, later)
        elif how is How.NO_RECEIPT:
            connection.answer(*self._done(host, order, key, receipt=False), close=fresh)
        elif how is How.RESET:
            connection.reset()
        elif how is How.CLOSED:
            connection.close()
        self.reads.append(Read(now_ns, key, order, receipt, down, failed, stored, in_doubt, acked_ns))

    def _done(self, host: int, order: bool, key: int, receipt: bool) -> tuple[int, dict[str, object]]:
        region = self._hosts[host][0]
        if order:
            return 201, {"key": key, "region": region, "stored": True, "receipt": receipt}
        if key not in self._amounts:
            return 404, {"region": region}
        return 200, {"key": key, "amount": self._amounts[key], "region": region}


class _Connection(asyncio.Protocol):
    """One connection of a client; one request at a time."""

    _transport: asyncio.Transport

    def __init__(self, service: ScriptedService, host: int) -> None:
        self._service = service
        self._host = host
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._service._connections[self._host].add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service._connections[self._host].discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        text = head.decode("latin-1")
        _, found, length = text.partition("\r\nContent-Length: ")
        if found and len(body) < int(length.split("\r\n", 1)[0]):
            return
        self._buffer = b""
        self._service.serve(self, self._host, text, body)

    def answer(self, status: int, words: dict[str, object], *, close: bool) -> None:
        text = msgspec.json.encode(words)
        region = f"x-region: {words['region']}\r\n" if "region" in words else ""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{region}Content-Length: {len(text)}\r\n"
        self._transport.write((head + ("Connection: close\r\n" if close else "") + "\r\n").encode() + text)
        if close:
            self._transport.close()

    def reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self._transport.abort()

    def close(self) -> None:
        self._transport.close()


async def _until(at_ns: int) -> None:
    """The loop's timers fire a little early or late: the last millisecond is spun."""
    while (left := at_ns - time.monotonic_ns()) > 0:  # noqa: ASYNC110 there is no event to wait for
        await asyncio.sleep(left / NS if left > 1_000_000 else 0)
