"""The whole region is gone at once: processes killed, links dark, its AWS endpoint unreachable."""

from __future__ import annotations

from infra_fixtures.faults.fault import Fault, injected, require
from infra_fixtures.safety.journal import PowerCall
from infra_fixtures.targets.world import RegionPower, World


def region_lost(world: World, region: str) -> Fault:
    """Lose `region`; healing brings it back, its database joined to whoever writes by then."""
    power = require(world, RegionPower, "region_lost")
    return injected(
        world,
        "region_lost",
        region,
        undo=[PowerCall("restore_region", (region,))],
        inject=lambda: power.lose_region(region),
    )
