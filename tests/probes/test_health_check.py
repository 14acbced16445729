"""What Route 53 thinks of an endpoint is marked when it changes its mind."""

from __future__ import annotations

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from probes.health_check import HealthCheck
from tests.probes.conftest import watching
from tests.real_world import System


def test_an_endpoint_that_fails_and_recovers_is_marked(system: System) -> None:
    """Both are healthy at first; the one whose database dies is unhealthy, with the reason, and healthy once restored."""
    world = system.world
    with watching(HealthCheck(world)) as notebook:
        for region in (world.primary, world.standby):
            notebook.await_said("health_check.healthy", subject=region)
        with injected(world, DatabaseLost(world.primary)):
            failed = notebook.await_said("health_check.unhealthy", subject=world.primary)
            assert "503" in failed.detail
        world.return_to_primary()
        wait_until(
            lambda: len(notebook.found("health_check.healthy", subject=world.primary)) == 2,
            what="the primary to be healthy again",
            timeout_s=20,
        )
    assert notebook.found("health_check.unhealthy", subject=world.standby) == []
