"""No fault: all goes on, and the journal shows it came and went."""

from __future__ import annotations

from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.nothing import Nothing
from tests.real_world import System


def test_nothing_breaks_nothing(system: System) -> None:
    """It is journalled like any fault, and every order is taken while it stands."""
    world = system.world
    with injected(world, Nothing()) as effect:
        assert (effect.fault, effect.subject) == ("nothing", "system")
        assert [b.fault for b in world.journal.open_entries()] == ["nothing"]
        assert [system.primary.refusal() for _ in range(5)] == [""] * 5
    assert world.journal.open_entries() == []
