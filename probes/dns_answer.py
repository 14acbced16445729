"""What does Route 53 answer for the service's name? Asked past every cache, so that the flip itself is seen."""

from __future__ import annotations

import threading
from typing import ClassVar
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver

from drill.parts import Recorder
from infra_fixtures.targets.parts import ApiPart, DnsPart, part_of
from infra_fixtures.targets.world import World


class DnsAnswer:
    """Marks dns.answer whenever the authoritative answer changes; subject is the name, detail the region answered."""

    name = "dns_answer"
    needs: ClassVar[tuple[type, ...]] = (DnsPart, ApiPart)

    def __init__(self, world: World, every_s: float | None = None) -> None:
        named = part_of(world, DnsPart)
        self._name = named.name
        self._server = world.entry.dns
        self._every_s = named.every_s if every_s is None else every_s
        self._region_of = named.region_of or (lambda _: None)
        self._regions = {
            address: region for region in (world.primary, world.standby) for address in _hosts(world, region)
        } | dict(world.entry.regions)

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Ask until told to stop."""
        before: str | None = None
        while not stop.wait(self._every_s):
            answer = self.answer()
            if answer is not None and answer != before:
                recorder.mark("dns.answer", self._name, answer)
                before = answer

    def answer(self) -> str | None:
        """The region answered (or the bare address of none), or None where the name server is silent."""
        address = self._ask()
        if not address:
            return address
        return self._regions.get(address) or self._region_of(address) or address

    def _ask(self) -> str | None:
        """The first address answered, or None where the name server is silent."""
        query = dns.message.make_query(self._name, dns.rdatatype.A)
        host, port = self._server or (str(dns.resolver.get_default_resolver().nameservers[0]), 53)
        try:
            response = dns.query.udp_with_fallback(query, host, timeout=1.0, port=port)[0]
        except (dns.exception.DNSException, OSError):
            return None
        addresses = sorted(r.address for rrset in response.answer if rrset.rdtype == dns.rdatatype.A for r in rrset)
        return addresses[0] if addresses else ""


def _hosts(world: World, region: str) -> list[str]:
    host = urlsplit(part_of(world, ApiPart).endpoints[region].url).hostname
    return [host] if host else []
