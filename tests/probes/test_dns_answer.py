"""The authoritative answer is marked whenever it changes, asked past every cache."""

from __future__ import annotations

from urllib.parse import urlsplit

from drill.wait import wait_until
from infra_fixtures.targets.parts import HealthChecksPart, part_of
from infra_fixtures.targets.world import World
from probes.dns_answer import DnsAnswer
from tests.probes.conftest import watching
from tests.real_world import System


def test_a_flip_and_its_return_are_marked(system: System) -> None:
    """The primary's health check is inverted: the answer leads to the standby, and back once it is put right."""
    world = system.world
    name = urlsplit(world.entry.url).hostname or ""
    with watching(DnsAnswer(world)) as notebook:
        notebook.await_said("dns.answer", subject=name, detail=world.primary)
        invert(world, True)
        notebook.await_said("dns.answer", subject=name, detail=world.standby)
        assert DnsAnswer(world).answer() == world.standby
        invert(world, False)
        wait_until(lambda: len(notebook.found("dns.answer")) == 3, what="the answer to return", timeout_s=10)
    assert [s.detail for s in notebook.found("dns.answer")] == [world.primary, world.standby, world.primary]


def test_a_silent_name_server_is_no_answer(system: System) -> None:
    """Where no name server listens it says None, and marks nothing."""
    probe = DnsAnswer(system.elsewhere(dns=("127.0.0.1", 1)))
    assert probe.answer() is None


def invert(world: World, inverted: bool) -> None:
    """Turn what Route 53 makes of the primary's health check round."""
    check = part_of(world, HealthChecksPart).ids[world.primary]
    world.client("route53").update_health_check(HealthCheckId=check, Inverted=inverted)
