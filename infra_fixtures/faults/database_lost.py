"""Only the Aurora node of a region dies; everything around it lives on."""

from __future__ import annotations

from infra_fixtures.faults.fault import Fault, injected, require
from infra_fixtures.safety.journal import PowerCall
from infra_fixtures.targets.world import DatabasePower, World


def database_lost(world: World, region: str) -> Fault:
    """SIGKILL the database of `region`; healing starts it again, joined to whoever writes by then."""
    power = require(world, DatabasePower, "database_lost")
    return injected(
        world,
        "database_lost",
        region,
        undo=[PowerCall("restore_database", (region,))],
        inject=lambda: power.kill_database(region),
    )
