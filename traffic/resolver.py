"""How the clients resolve names: by asking Route 53 (or a given name server) and keeping the answer for its TTL.

Installed as the resolver of gevent's hub, it serves every client library in the Locust process. The URL, the Host
header and the TLS server name keep the name. The cache is the host's: all cohorts share it, as processes of a machine
share theirs. Requests that need the same name while it is being asked wait for that one query.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import gevent
import gevent.socket
from gevent.resolver.thread import Resolver as ThreadResolver

RESEND_S = 0.5
"""A query without an answer is sent again after this long: UDP may lose it."""
LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Held:
    """An answer in the cache: addresses in the server's order, good until `expires` (time.monotonic())."""

    addresses: tuple[str, ...]
    expires: float


class Route53Resolver(ThreadResolver):  # type: ignore[misc]  # gevent ships no types
    """Asks one name server for A records; names without a dot and addresses go the system's way.

    `on_change(name, addresses)` is called whenever a name's set of addresses differs from the last answer's.
    Failures are socket.gaierror, as from the system's resolver; they are not cached.
    """

    def __init__(
        self,
        host: str | None,
        port: int,
        *,
        timeout_s: float,
        on_change: Callable[[str, tuple[str, ...]], None],
        hub: Any = None,
    ) -> None:
        super().__init__(hub=hub)
        self._server = (host, port) if host else (str(dns.resolver.Resolver().nameservers[0]), 53)
        self._timeout_s = timeout_s
        self._on_change = on_change
        self._cache: dict[str, Held] = {}
        self._flights: dict[str, gevent.Greenlet] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """The name's addresses, at most one TTL old; blocks this greenlet only. Raises socket.gaierror."""
        held = self._cache.get(name)
        if held is not None and time.monotonic() < held.expires:
            return held.addresses
        flight = self._flights.get(name)
        if flight is None:
            # a greenlet of its own, so that a caller that gives up does not take the others' query with it
            flight = self._flights[name] = gevent.spawn(self._fly, name)
        found: tuple[str, ...] = flight.get()
        return found

    def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        """As socket.getaddrinfo, IPv4 only for the names it asks itself."""
        name = host.decode("ascii") if isinstance(host, bytes) else host
        if not isinstance(name, str) or "." not in name or _is_address(name):
            return super().getaddrinfo(host, port, family, type, proto, flags)
        if family == socket.AF_INET6:
            raise socket.gaierror(socket.EAI_NONAME, f"{name} has no IPv6 address")
        return [
            (socket.AF_INET, type or socket.SOCK_STREAM, proto or socket.IPPROTO_TCP, "", (address, int(port)))
            for address in self.addresses(name)
        ]

    def _fly(self, name: str) -> tuple[str, ...]:
        try:
            held = self._ask(name)
        except socket.gaierror:
            raise
        except (OSError, dns.exception.DNSException) as e:
            raise socket.gaierror(socket.EAI_AGAIN, f"{name}: {e}") from e
        finally:
            del self._flights[name]
        last = self._cache.get(name)
        self._cache[name] = held
        if last is None or set(last.addresses) != set(held.addresses):
            self._on_change(name, held.addresses)
        return held.addresses

    def _ask(self, name: str) -> Held:
        """Follow aliases to addresses; the answer is good for the shortest TTL on the way."""
        limit = time.monotonic() + self._timeout_s
        wanted = dns.name.from_text(name)
        shortest = float("inf")
        for _ in range(LONGEST_CHAIN):
            query = dns.message.make_query(wanted, dns.rdatatype.A)
            answer = self._exchange(query, limit)
            asked_at = time.monotonic()
            if answer.rcode() != dns.rcode.NOERROR:
                code = socket.EAI_NONAME if answer.rcode() == dns.rcode.NXDOMAIN else socket.EAI_AGAIN
                raise socket.gaierror(code, f"{name}: the name server says {dns.rcode.to_text(answer.rcode())}")
            chain = answer.resolve_chaining()
            shortest = min(shortest, chain.minimum_ttl)
            if chain.answer is not None:
                return Held(tuple(r.address for r in chain.answer), asked_at + shortest)
            if chain.canonical_name == wanted:
                raise socket.gaierror(socket.EAI_NONAME, f"{name}: the name server knows no address")
            wanted = chain.canonical_name
        raise socket.gaierror(socket.EAI_AGAIN, f"{name}: more than {LONGEST_CHAIN} aliases in a row")

    def _exchange(self, query: dns.message.QueryMessage, limit: float) -> dns.message.QueryMessage:
        wire = query.to_wire()
        with gevent.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect(self._server)
            while (left := limit - time.monotonic()) > 0:
                udp.send(wire)
                resend_at = time.monotonic() + min(RESEND_S, left)
                while (patience := resend_at - time.monotonic()) > 0:
                    udp.settimeout(patience)
                    try:
                        answer = dns.message.from_wire(udp.recv(65535), ignore_trailing=True)
                    except TimeoutError:
                        break
                    except dns.exception.DNSException:
                        continue
                    if query.is_response(answer) and isinstance(answer, dns.message.QueryMessage):
                        return self._whole(answer, wire, limit)
        raise socket.gaierror(socket.EAI_AGAIN, f"the name server gave no answer in {self._timeout_s:g} s")

    def _whole(self, answer: dns.message.QueryMessage, wire: bytes, limit: float) -> dns.message.QueryMessage:
        """Ask again over TCP where the answer did not fit its packet."""
        if not answer.flags & dns.flags.TC:
            return answer
        with gevent.socket.create_connection(self._server, timeout=max(0.01, limit - time.monotonic())) as tcp:
            tcp.sendall(len(wire).to_bytes(2, "big") + wire)
            stream = tcp.makefile("rb")
            whole = dns.message.from_wire(stream.read(int.from_bytes(stream.read(2), "big")))
        assert isinstance(whole, dns.message.QueryMessage)
        return whole


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
