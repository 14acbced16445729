"""What do other name servers answer? Each of the zone's own, and public resolvers, which keep an answer for its TTL.

The client's answers (`dns_answer`) say when its cohorts could follow; these say that the change was the same everywhere.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from drill.parts import Recorder
from infra_fixtures.targets.parts import ApiPart, DnsPart, NameServersPart, part_of
from infra_fixtures.targets.world import World
from probes.dns_answer import address_of, leading

EVERY_S = 1.0
"""A public resolver is nobody's to load: one question a second."""
SILENT = "no answer"


class DnsWitnesses:
    """Marks dns.witness whenever the answer of a server changes; subject is the server, detail the region answered, the bare
    address of none, `no address` or `no answer`."""

    name = "dns_witnesses"
    needs: ClassVar[tuple[type, ...]] = (DnsPart, ApiPart, NameServersPart)

    def __init__(self, world: World, every_s: float = EVERY_S) -> None:
        self._name = part_of(world, DnsPart).name
        self._servers = part_of(world, NameServersPart).servers
        self._leads_to = leading(world)
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Ask all at once, until told to stop."""
        before: dict[str, str] = {}
        with ThreadPoolExecutor(max(1, len(self._servers))) as pool:
            while not stop.wait(self._every_s):
                for server, answer in zip(self._servers, pool.map(self._ask, self._servers.values()), strict=True):
                    if before.get(server) != answer:
                        recorder.mark("dns.witness", server, answer)
                        before[server] = answer

    def _ask(self, server: tuple[str, int]) -> str:
        address = address_of(self._name, server)
        if address is None:
            return SILENT
        return self._leads_to(address) if address else "no address"
