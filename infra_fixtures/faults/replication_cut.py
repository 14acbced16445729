"""The link between the regions goes dark: replication hangs, and nobody is told."""

from __future__ import annotations

from infra_fixtures.faults.fault import Fault, injected, require
from infra_fixtures.safety.journal import PowerCall
from infra_fixtures.targets.world import ReplicationPower, World


def replication_cut(world: World) -> Fault:
    """Black-hole the inter-region link; healing lets it carry again."""
    power = require(world, ReplicationPower, "replication_cut")
    return injected(
        world,
        "replication_cut",
        f"{world.primary}->{world.standby}",
        undo=[PowerCall("heal_replication")],
        inject=power.cut_replication,
    )
