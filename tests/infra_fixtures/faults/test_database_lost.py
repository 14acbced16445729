"""A lost database: the functions around it live and say so."""

from __future__ import annotations

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from tests.real_world import System


def test_a_lost_database_takes_no_orders_until_it_is_restored(system: System) -> None:
    """Orders and the deep health check fail, the shallow one does not, RDS calls the instance failed."""
    world = system.world
    kept = system.primary.order()
    with injected(world, DatabaseLost(world.primary)):
        assert [b.fault for b in world.journal.open_entries()] == ["database_lost"]
        assert '"stored": false' in system.primary.refusal()
        assert system.primary.web.status("/health/deep") == 503
        assert system.primary.web.status("/health") == 200
        wait_until(lambda: _instance_status(system) == "failed", what="RDS to call the instance failed", timeout_s=3)
    assert world.journal.open_entries() == []
    assert _instance_status(system) == "available"
    system.is_as_before()
    assert system.primary.holds(kept)


def _instance_status(system: System) -> str:
    world = system.world
    made = world.deployed.regions[world.primary]
    found = world.client("rds", world.primary).describe_db_instances(DBInstanceIdentifier=made.instance_id)
    return str(found["DBInstances"][0]["DBInstanceStatus"])
