"""No fault at all: what a drill must not pass."""

from __future__ import annotations

from infra_fixtures.faults.fault import Fault, injected
from infra_fixtures.targets.world import World


def nothing(world: World) -> Fault:
    """Break nothing."""
    return injected(world, "nothing", "system", undo=[], inject=lambda: None)
