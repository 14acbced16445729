"""The writer's move is marked at both ends."""

from __future__ import annotations

from probes.promotion import Promotion
from tests.probes.conftest import watching
from tests.real_world import System


def test_a_switchover_begins_and_ends(system: System) -> None:
    """SwitchoverGlobalCluster: begin says what is under way, end which cluster writes; nothing is marked before."""
    world = system.world
    target = world.deployed.regions[world.standby].cluster_arn
    with watching(Promotion(world)) as notebook:
        world.wait_for_change(frozenset({"rds"}), 0.3)
        assert notebook.said == []
        world.client("rds", world.primary).switchover_global_cluster(
            GlobalClusterIdentifier=world.deployed.global_cluster_id, TargetDbClusterIdentifier=target
        )
        ended = notebook.await_said("promotion.end", detail=target)
        began = notebook.await_said("promotion.begin", detail="switching-over")
    assert began.at_ns < ended.at_ns
