"""How the clients resolve names: by asking Route 53 (or a given name server) and keeping each record set for its TTL.

An alias (CNAME) and the addresses it leads to are kept apart, as every caching resolver keeps them (RFC 2181, section 5.2):
one of an hour is not asked for again because the address behind it is good for a minute.

Installed as the resolver of gevent's hub, it serves every client library in the Locust process. The URL, the Host
header and the TLS server name keep the name. The cache is the host's: all cohorts share it, as processes of a machine
share theirs. Requests that need the same name while it is being asked wait for that one query.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import gevent
from gevent.resolver.thread import Resolver as ThreadResolver

RESEND_S = 0.5
"""A query without an answer is sent again after this long: UDP may lose it."""
LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A record set in the cache, good until `expires` (time.monotonic()): addresses in the server's order, or an alias."""

    expires: float
    addresses: tuple[str, ...] = ()
    alias: str = ""


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
        self._cache: dict[str, CachedAnswer] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        self._flights: dict[str, gevent.Greenlet] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """The name's addresses, each record on the way to them within its TTL; blocks this greenlet only.

        Raises socket.gaierror.
        """
        now = time.monotonic()
        found = self._follow(name, lambda queried: self._fresh(queried, now))
        if found is None:
            flight = self._flights.get(name)
            if flight is None:
                # a greenlet of its own, so that a caller that gives up does not take the others' query with it
                flight = self._flights[name] = gevent.spawn(self._fly, name)
            found = flight.get()
        self._tell(name, found)
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
            return self._resolve(name)
        except socket.gaierror:
            raise
        except (OSError, dns.exception.DNSException) as e:
            raise socket.gaierror(socket.EAI_AGAIN, f"{name}: {e}") from e
        finally:
            del self._flights[name]

    def _resolve(self, name: str) -> tuple[str, ...]:
        """Ask for what is not in the cache; what was learnt on the way counts to its end, were its TTL 0."""
        limit = time.monotonic() + self._timeout_s
        learnt: dict[str, CachedAnswer] = {}

        def known(queried: str) -> CachedAnswer:
            cached = learnt.get(queried) or self._fresh(queried, time.monotonic())
            if cached is None:
                learnt.update(self._ask(queried, limit))
                self._cache.update(learnt)
                cached = learnt[queried]
            return cached

        found = self._follow(name, known)
        if found is None:
            raise socket.gaierror(socket.EAI_AGAIN, f"{name}: more than {LONGEST_CHAIN} aliases in a row")
        return found

    def _follow(self, name: str, known: Callable[[str], CachedAnswer | None]) -> tuple[str, ...] | None:
        """From alias to alias to addresses; None where one is not known, or the chain does not end."""
        queried = _key(name)
        for _ in range(LONGEST_CHAIN):
            cached = known(queried)
            if cached is None or cached.addresses:
                return cached.addresses if cached is not None else None
            queried = cached.alias
        return None

    def _fresh(self, name: str, now: float) -> CachedAnswer | None:
        cached = self._cache.get(name)
        return cached if cached is not None and now < cached.expires else None

    def _ask(self, name: str, limit: float) -> dict[str, CachedAnswer]:
        """The record sets that lead on from a name, at least its own, by their names."""
        answer = self._exchange(dns.message.make_query(name, dns.rdatatype.A), limit)
        now = time.monotonic()
        if answer.rcode() != dns.rcode.NOERROR:
            code = socket.EAI_NONAME if answer.rcode() == dns.rcode.NXDOMAIN else socket.EAI_AGAIN
            raise socket.gaierror(code, f"{name}: the name server says {dns.rcode.to_text(answer.rcode())}")
        sets = {(_key(s.name.to_text()), s.rdtype): s for s in answer.answer}
        found: dict[str, CachedAnswer] = {}
        queried = _key(name)
        while queried not in found and (alias := sets.get((queried, dns.rdatatype.CNAME))) is not None:
            found[queried] = CachedAnswer(now + alias.ttl, alias=_key(alias[0].target.to_text()))
            queried = found[queried].alias
        if (addresses := sets.get((queried, dns.rdatatype.A))) is not None:
            found[queried] = CachedAnswer(now + addresses.ttl, tuple(r.address for r in addresses))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{name}: the name server knows no address")
        return found

    def _tell(self, name: str, found: tuple[str, ...]) -> None:
        if set(self._told.get(name, ())) != set(found):
            self._told[name] = found
            self._on_change(name, found)

    def _exchange(self, query: dns.message.QueryMessage, limit: float) -> dns.message.Message:
        """Ask over UDP, again and again, and over TCP where the answer does not fit its packet."""
        host, port = self._server
        with dns.query.make_socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect(self._server)  # a server that is not there is heard of; a late answer to an earlier try counts
            while (left := limit - time.monotonic()) > 0:
                with contextlib.suppress(dns.exception.Timeout):
                    patience = min(RESEND_S, left)
                    return dns.query.udp_with_fallback(
                        query, host, patience, port, ignore_trailing=True, udp_sock=udp, ignore_errors=True
                    )[0]
        raise socket.gaierror(socket.EAI_AGAIN, f"the name server gave no answer in {self._timeout_s:g} s")


def _key(name: str) -> str:
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
