"""A planned switchover: the standby takes the orders, and afterwards the primary again."""

from __future__ import annotations

from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.planned_switchover import PlannedSwitchover
from tests.real_world import System


def test_roles_change_hands_and_are_given_back(system: System) -> None:
    """While it stands the standby writes and the primary does not; healing hands back with nothing lost."""
    world = system.world
    first = system.primary.order()
    with injected(world, PlannedSwitchover()):
        assert [b.fault for b in world.journal.open_entries()] == ["planned_switchover"]
        assert system.writer() == world.standby
        second = system.standby.order()
        assert system.standby.holds(first), "a switchover loses nothing"
        assert '"stored": false' in system.primary.refusal()
        assert system.primary.web.status("/health/deep") == 503
    assert world.journal.open_entries() == []
    assert system.writer() == world.primary
    system.is_as_before()
    assert system.primary.holds(first)
    assert system.primary.holds(second)
