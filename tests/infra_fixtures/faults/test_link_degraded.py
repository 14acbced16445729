"""Rules on one link, each a fault: healing one leaves the others in force, seen on the wire."""

from __future__ import annotations

import time

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.link_degraded import LinkDegraded
from infra_fixtures.faults.replication_cut import ReplicationCut
from infra_fixtures.faults.schedule import Schedule, Scheduled, injected_in_turn
from infra_fixtures.link_rule import LinkRule
from tests.real_world import System

SLOW_MS = 150.0


def test_a_slow_edge_is_slow_until_it_is_healed(system: System) -> None:
    """Each answer takes the latency both ways longer; afterwards as before."""
    with injected(system.world, LinkDegraded(LinkRule(latency_ms=SLOW_MS), "primary", "edge")) as effect:
        assert effect.subject == f"{system.world.primary}/edge"
        assert _answer_s(system) >= 2 * SLOW_MS / 1000
    wait_until(lambda: _answer_s(system) < 2 * SLOW_MS / 1000, what="quick answers again", timeout_s=10)


def test_healing_one_of_two_faults_on_a_link_leaves_the_other(system: System) -> None:
    """Replication is cut and slow; once it is cut no more it is slow still, and then as before."""
    world, told = system.world, list[str]()
    slow = LinkDegraded(LinkRule(latency_ms=1500))
    schedule = Schedule.of(slow, Scheduled(ReplicationCut(), for_s=1.0))

    def tell(event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        told.append(f"{event} {detail}")

    with injected_in_turn(world, schedule, tell):
        assert [b.fault for b in world.journal.open_entries()] == ["replication_cut", "link_degraded"]
        held_back = system.primary.order()
        wait_until(
            lambda: told == ["fault.ending replication_cut", "fault.over replication_cut"],
            what="the cut to be over",
            timeout_s=10,
        )
        assert [b.fault for b in world.journal.open_entries()] == ["link_degraded"]
        wait_until(lambda: system.standby.holds(held_back), what="the order held back", timeout_s=30)
        began_s = time.monotonic()
        slowed = system.primary.order()
        wait_until(lambda: system.standby.holds(slowed), what="the slowed order", timeout_s=30)
        assert time.monotonic() - began_s >= 1.4, "it is slow still"
    assert world.journal.open_entries() == []

    def quick() -> bool:
        began_s = time.monotonic()
        key = system.primary.order()
        wait_until(lambda: system.standby.holds(key), what="an order to arrive", timeout_s=30)
        return time.monotonic() - began_s < 1.4

    wait_until(quick, what="replication as before", timeout_s=30)


def _answer_s(system: System) -> float:
    began_s = time.monotonic()
    assert system.primary.web.status("/health") == 200
    return time.monotonic() - began_s
