"""Every name server is heard by itself, and its silence is told."""

from __future__ import annotations

from typing import Any

from infra_fixtures.targets.parts import NameServersPart
from probes.dns_witnesses import SILENT, DnsWitnesses
from tests.probes.conftest import watching
from tests.probes.test_dns_answer import invert
from tests.real_world import System


class _Witnessed:
    """The system, with a name server that answers and one that nobody runs."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def part(self, kind: type) -> Any:
        """And these servers."""
        if kind is NameServersPart:
            return NameServersPart({"own": self._world.entry.dns, "nobody": ("127.0.0.1", 1)})
        return self._world.part(kind)


def test_a_change_is_marked_for_each_server(system: System) -> None:
    """The one that answers follows a failover; the other one is silent, which is no answer of the standby."""
    world = system.world
    with watching(DnsWitnesses(_Witnessed(world), every_s=0.1)) as notebook:
        notebook.await_said("dns.witness", subject="own", detail=world.primary)
        notebook.await_said("dns.witness", subject="nobody", detail=SILENT)
        invert(world, True)
        notebook.await_said("dns.witness", subject="own", detail=world.standby)
        invert(world, False)
        notebook.await_said("dns.witness", subject="own", detail=world.primary)
    assert {s.detail for s in notebook.found("dns.witness", subject="nobody")} == {SILENT}
