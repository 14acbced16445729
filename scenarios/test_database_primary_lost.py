"""Only the Aurora writer dies; the region around it is well.

The real thing: GitLab on 31 January 2017, when the primary database was lost and none of the replicas was ready to take
over. Shallow health checks stay green in such an outage, so traffic moves only if the check looks through to the database.
"""

from __future__ import annotations

import pytest

from drill.demands import moved_to
from drill.run import Drill, Plan
from infra_fixtures.faults.database_lost import database_lost
from infra_fixtures.targets.world import World
from scenarios.stage import MOBILE


@pytest.mark.traffic(cohorts=MOBILE)
def test_database_primary_lost(drill: Drill, world: World) -> None:
    """The deep health check fails, DNS leads to the standby, whose database is promoted."""
    drill.run(database_lost(world, world.primary), Plan(demands=moved_to(world.standby)))
