"""What a link costs: round trip, new connection and throughput through one, beside the same without it.

Server, link and client are three processes, as in a drill. Direct and through the link are measured in turn, round by
round, so that a noisy machine disturbs both alike.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from benchmarks.measuring.child_process import READY, child_process
from benchmarks.measuring.figure import Figure
from benchmarks.measuring.place import private_layout
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.run_layout import Address

ROUNDS = 9
PINGS = 400
CONNECTIONS = 100
PING = b"x" * 256
BULK = 256 * 1024 * 1024
BULK_ROUNDS = 5
BLOCK = 256 * 1024


def measure() -> Iterator[Figure]:
    """Round trips and new connections in microseconds, bulk transfer as a ratio."""
    with private_layout() as layout:
        echo, sink = Address(layout.primary.node.host, 20007), Address(layout.primary.node.host, 20009)
        linked_echo, linked_sink = (
            Address(layout.primary.writer.host, 20007),
            Address(layout.primary.writer.host, 20009),
        )
        with child_process(_servers, echo, sink), child_process(_links, [(linked_echo, echo), (linked_sink, sink)]):
            yield from _in_turn("round trip", _round_trip_us, echo, linked_echo)
            yield from _in_turn("new connection", _connection_us, echo, linked_echo)
            direct, linked = [], []
            for _ in range(BULK_ROUNDS):
                direct.append(_gigabytes_per_s(sink))
                linked.append(_gigabytes_per_s(linked_sink))
            ratios = [a / b for a, b in zip(linked, direct, strict=True)]
            note = f"{statistics.median(linked):.2f} of {statistics.median(direct):.2f} GB/s"
            yield Figure.of("throughput, link / direct", ratios, "x", note)


def _in_turn(what: str, once: Callable[[Address], float], direct: Address, linked: Address) -> Iterator[Figure]:
    without, through = [], []
    for _ in range(ROUNDS):
        without.append(once(direct))
        through.append(once(linked))
    added = [b - a for a, b in zip(without, through, strict=True)]
    note = f"{statistics.median(through):.0f} through a link, {statistics.median(without):.0f} direct"
    yield Figure.of(f"{what}, added by a link", added, "us", note)


def _round_trip_us(to: Address) -> float:
    with _connected(to) as sock:
        times = []
        for _ in range(PINGS):
            began = time.perf_counter_ns()
            sock.sendall(PING)
            _receive(sock, len(PING))
            times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def _connection_us(to: Address) -> float:
    """Connect, one round trip, close."""
    times = []
    for _ in range(CONNECTIONS):
        began = time.perf_counter_ns()
        with _connected(to) as sock:
            sock.sendall(PING)
            _receive(sock, len(PING))
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def _gigabytes_per_s(to: Address) -> float:
    block = memoryview(bytes(BLOCK))
    with _connected(to) as sock:
        began = time.perf_counter()
        for _ in range(BULK // BLOCK):
            sock.sendall(block)
        _receive(sock, 1)  # the sink has it all
        return BULK / (time.perf_counter() - began) / 1e9


def _connected(to: Address) -> socket.socket:
    sock = socket.create_connection((to.host, to.port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _receive(sock: socket.socket, count: int) -> None:
    while count > 0:
        got = len(sock.recv(count))
        if not got:
            raise ConnectionError("the server closed in the middle of a measurement")
        count -= got


def _servers(parent: Connection, echo: Address, sink: Address) -> None:
    """What the connections end at."""
    for address, serve in ((echo, _echo), (sink, _swallow)):
        listener = socket.create_server((address.host, address.port), backlog=128)
        threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
    parent.send(READY)
    threading.Event().wait()


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            serve(connection)


def _echo(connection: socket.socket) -> None:
    while data := connection.recv(BLOCK):
        connection.sendall(data)


def _swallow(connection: socket.socket) -> None:
    buffer, left = memoryview(bytearray(BLOCK)), BULK
    while left > 0 and (got := connection.recv_into(buffer)):
        left -= got
    connection.sendall(b".")


def _links(parent: Connection, ways: list[tuple[Address, Address]]) -> None:
    """The links, in a process that does nothing else."""

    async def carry() -> None:
        for listen, target in ways:
            Link("bench", listen, target).start()
        parent.send(READY)
        await asyncio.Event().wait()

    asyncio.run(carry())
