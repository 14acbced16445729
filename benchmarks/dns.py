"""Our Route 53 name server: answers a second and round trip, beside a bare dnspython server asked the same.

Ours follows an embedded AWS API that holds a zone with failover records, as in a drill; the bare one parses a query and
answers a fixed address. Each runs in a process of its own and is asked over UDP with a constant number of questions
under way. "repeated" is one question again and again, as resolvers ask; "new" never repeats one (letter case differs),
so that nothing remembered helps.
"""

from __future__ import annotations

import asyncio
import random
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, cast

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from benchmarks.measuring.child_process import READY, child_process
from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.place import private_aws
from drill.wait import wait_until
from infra_fixtures.data_plane.route53 import Route53
from infra_fixtures.internal_api.clients import client
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import Address, RunLayout

ZONE = "dr-drill.example."
NAME = f"api.{ZONE}"
TTL_S = 60
ROUNDS = 5
QUESTIONS = 6_000
UNDER_WAY = 32
PINGS = 500
LATE_S = 1.0


def measure() -> Iterator[Figure]:
    """Answers a second of ours, its ratio to the bare server's, and the round trip of a single question."""
    with private_aws() as layout:
        expected = _make_zone(layout)
        bare = Address(layout.standby.edge.host, layout.dns.port)
        with child_process(_route53, layout), child_process(_bare, bare, expected):
            wait_until(lambda: _answers(layout.dns, expected), what="Route 53 to answer its zone", timeout_s=20)
            wait_until(lambda: _answers(bare, expected), what="the bare server to answer", timeout_s=5)
            repeated, new = _packets(1), _packets(QUESTIONS)
            for what, packets in (("repeated", repeated), ("new", new)):
                ours, theirs = [], []
                for _ in range(ROUNDS):
                    ours.append(_per_second(layout.dns, packets))
                    theirs.append(_per_second(bare, packets))
                yield Figure.of(f"answers, {what} questions", ours, "/s", f"{UNDER_WAY} under way")
                note = f"the bare one gives {statistics.median(theirs):,.0f}/s"
                ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
                yield Figure.of(f"ours / bare dnspython, {what} questions", ratios, "x", note)
            trips = [_round_trip_us(layout.dns, repeated[0]) for _ in range(ROUNDS)]
            yield Figure.of("round trip, one question at a time", trips, "us", "UDP over loopback")


def _make_zone(layout: RunLayout) -> str:
    """A zone with a failover pair; the address that a healthy primary makes of it."""
    route53 = client(layout, "route53", layout.primary.name)
    zone = route53.create_hosted_zone(Name=ZONE, CallerReference="bench")["HostedZone"]["Id"]
    pair = zip(("PRIMARY", "SECONDARY"), layout.regions, strict=True)
    changes = [_record(role, region.name, region.edge.host) for role, region in pair]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return layout.primary.edge.host


def _record(role: str, region: str, address: str) -> dict[str, Any]:
    kept = {"Name": NAME, "Type": "A", "TTL": TTL_S, "ResourceRecords": [{"Value": address}]}
    return {"Action": "CREATE", "ResourceRecordSet": {**kept, "SetIdentifier": region, "Failover": role}}


def _packets(count: int) -> list[bytes]:
    """That many questions for the service's address, different in letter case."""
    if count == 1:
        return [dns.message.make_query(NAME, dns.rdatatype.A).to_wire()]
    chance = random.Random(1)
    names: set[str] = set()
    while len(names) < count:
        names.add("".join(chance.choice((c.lower(), c.upper())) for c in NAME))
    return [dns.message.make_query(name, dns.rdatatype.A).to_wire() for name in names]


def _per_second(server: Address, packets: Sequence[bytes]) -> float:
    """Answers a second to QUESTIONS questions, UNDER_WAY of them at a time; every answer must hold one address."""
    with _asking(server) as sock:
        began = time.perf_counter()
        for n in range(UNDER_WAY):
            sock.send(packets[n % len(packets)])
        for n in range(UNDER_WAY, QUESTIONS + UNDER_WAY):
            answer = _receive(sock)
            if answer[3] & 0x0F or answer[6:8] != b"\0\1":
                raise Failed(f"{server} gave no address: {dns.message.from_wire(answer)}")
            if n < QUESTIONS:
                sock.send(packets[n % len(packets)])
        return QUESTIONS / (time.perf_counter() - began)


def _round_trip_us(server: Address, packet: bytes) -> float:
    times = []
    with _asking(server) as sock:
        for _ in range(PINGS):
            began = time.perf_counter_ns()
            sock.send(packet)
            _receive(sock)
            times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def _answers(server: Address, expected: str) -> bool:
    """Whether the server gives the address it should."""
    with _asking(server) as sock:
        try:
            sock.send(_packets(1)[0])
            message = dns.message.from_wire(sock.recv(4096))
        except OSError:
            return False
    return [r.address for rrset in message.answer for r in rrset] == [expected]


def _asking(server: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(LATE_S)
    sock.connect((server.host, server.port))
    return sock


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except TimeoutError:
        raise Failed(f"a question was not answered within {LATE_S:g} s") from None


def _route53(parent: Connection, layout: RunLayout) -> None:
    """Our name server, following the API."""

    async def serve() -> None:
        async with Route53(layout) as route53:
            parent.send(READY)
            await run_reconcilers(layout, route53)

    asyncio.run(serve())


def _bare(parent: Connection, address: Address, answer: str) -> None:
    """The least that a dnspython server does: parse, answer, write."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: _Bare(answer), local_addr=(address.host, address.port))
        parent.send(READY)
        await asyncio.Event().wait()

    asyncio.run(serve())


class _Bare(asyncio.DatagramProtocol):
    def __init__(self, answer: str) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        response.answer.append(dns.rrset.from_text(query.question[0].name, TTL_S, "IN", "A", self._answer))
        self._transport.sendto(response.to_wire(), addr)
