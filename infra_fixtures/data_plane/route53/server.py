"""Route 53's name server on UDP and TCP.

Answers come from a function of (name, type); how a packet is read and written is remembered, so that an answer costs
some tens of microseconds. https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/route-53-concepts.html
"""

from __future__ import annotations

import asyncio
import functools
import logging
import struct
from collections.abc import Callable
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.route53.zone import Answer
from infra_fixtures.run_layout import Address

log = logging.getLogger(__name__)

HEADER_BYTES = 12
PLAIN_UDP_BYTES = 512
LARGEST_UDP_BYTES = 4096
REMEMBERED = 4096
IDLE_S = 10.0
_RESPONSE_BIT = 0x80

Answering = Callable[[str, str], Answer]


class DnsServer:
    """Listens on one address; use it as an async context manager."""

    def __init__(self, address: Address, answering: Answering) -> None:
        self._address = address
        self._answering = answering
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> DnsServer:
        host, port = self._address.host, self._address.port
        try:
            self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self.respond), local_addr=(host, port)
            )
            self._tcp = await asyncio.start_server(self._converse, host, port)
        except OSError as e:
            if self._udp is not None:
                self._udp.close()
            raise UnusableInput(
                f"Route 53 cannot listen on {self._address}: {e.strerror or e}: stop what holds it, or another run"
            ) from e
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for writer in list(self._connections):
            writer.transport.abort()

    def respond(self, packet: bytes, most_bytes: int | None = None) -> bytes | None:
        """The answer to a packet, at most `most_bytes` (None: what the client says it takes); None: say nothing."""
        if len(packet) < HEADER_BYTES or packet[2] & _RESPONSE_BIT:
            return None
        head, tail = packet[:2], packet[2:]
        question = _question(tail)
        if isinstance(question, bytes):
            return head + question
        name, kind, takes = question
        return head + _render(tail, self._answering(name, kind), most_bytes or takes)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE_S):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    packet = await reader.readexactly(length)
                answer = self.respond(packet, 65_535)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Callable[[bytes], bytes | None]) -> None:
        self._respond = respond

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            answer = self._respond(data)
        except Exception:  # one packet that cannot be answered must not end the server
            log.exception("no answer to a packet from %s", addr)
            return
        if answer is not None:
            self._transport.sendto(answer, addr)


@functools.lru_cache(maxsize=REMEMBERED)
def _question(tail: bytes) -> tuple[str, str, int] | bytes:
    """What a packet (without its id) asks, and how large an answer it takes; or the tail of a refusal to answer it."""
    try:
        query = dns.message.from_wire(b"\0\0" + tail)
    except dns.exception.DNSException:
        # FORMERR with nothing but a header: the rest of the question cannot be trusted.
        return bytes([_RESPONSE_BIT | (tail[0] & 0x79), dns.rcode.FORMERR]) + bytes(8)
    if query.opcode() != dns.opcode.QUERY:
        return _refusal(query, dns.rcode.NOTIMP)
    if len(query.question) != 1:
        return _refusal(query, dns.rcode.FORMERR)
    queried = query.question[0]
    if queried.rdclass != dns.rdataclass.IN:
        return _refusal(query, dns.rcode.REFUSED)
    takes = min(max(query.payload, PLAIN_UDP_BYTES), LARGEST_UDP_BYTES) if query.edns >= 0 else PLAIN_UDP_BYTES
    return queried.name.to_text().lower(), dns.rdatatype.to_text(queried.rdtype), takes


def _refusal(query: dns.message.Message, rcode: int) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(rcode))
    return response.to_wire()[2:]


@functools.lru_cache(maxsize=REMEMBERED)
def _render(tail: bytes, answer: Answer, most_bytes: int) -> bytes:
    """The packet (without its id) that says an answer; cut short with TC where it is too large."""
    query = dns.message.from_wire(b"\0\0" + tail)
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.Rcode(answer.rcode))
    if answer.rcode != dns.rcode.REFUSED:
        response.flags |= dns.flags.AA
    try:
        for section, sets in ((response.answer, answer.answers), (response.authority, answer.authority)):
            section.extend(dns.rrset.from_text(s.name, s.ttl_s, "IN", s.type, *s.values) for s in sets)
    except (dns.exception.DNSException, ValueError) as e:
        log.warning("a record that no packet can carry: %s: %s", answer, e)
        return _refusal(query, dns.rcode.SERVFAIL)
    # Route 53 echoes a name as it was asked, whatever its case; the tables are in lower case.
    for rrset in response.answer:
        if rrset.name == query.question[0].name:
            rrset.name = query.question[0].name
    return response.to_wire(max_size=most_bytes, prefer_truncation=True)[2:]
