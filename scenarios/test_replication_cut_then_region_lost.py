"""Replication hangs for three seconds under load, and then the region dies: acknowledged orders are lost.

The real thing: GitHub on 21 October 2018, when 43 seconds without a link between two coasts left writes on each side that
the other never saw, and took 24 hours to reconcile. Asynchronous replication loses what it had not shipped; a drill that
cannot say how much is worth nothing.
"""

from __future__ import annotations

from drill.demands import moved_to
from drill.run import Drill, Plan
from infra_fixtures.faults.region_lost import region_lost
from infra_fixtures.faults.replication_cut import replication_cut
from infra_fixtures.faults.sequence import after
from infra_fixtures.targets.world import World

DARK_S = 3.0


def test_replication_cut_then_region_lost(drill: Drill, world: World) -> None:
    """What was acknowledged while the link was dark is lost, and the drill says how much and how old."""
    fault = after(replication_cut(world), DARK_S, region_lost(world, world.primary))
    judgement = drill.run(fault, Plan(demands=moved_to(world.standby)))
    lost, rpo = judgement.measurements["lost_writes"], judgement.measurements["rpo_s"]
    assert lost.value, "a link dark under load must have cost acknowledged writes: the ledger missed them"
    assert rpo.value is not None
    assert DARK_S - 0.1 <= rpo.value <= DARK_S + 0.3, f"the link was dark for {DARK_S} s, but {rpo.because}"
