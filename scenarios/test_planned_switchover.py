"""The standby takes over as planned, under load, and nothing may be lost.

The real thing: every game day, and every evacuation ahead of a hurricane or a data-centre move. A managed switchover
waits until the replica has everything before it changes roles
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html).
"""

from __future__ import annotations

import pytest

from drill.demands import moved_to
from drill.run import Drill, Plan
from infra_fixtures.faults.planned_switchover import planned_switchover
from infra_fixtures.targets.world import World
from scenarios.stage import MOBILE


@pytest.mark.traffic(cohorts=MOBILE)
def test_planned_switchover(drill: Drill, world: World) -> None:
    """Writers pause while roles change hands and traffic follows; every acknowledged order is there afterwards."""
    drill.run(planned_switchover(world), Plan(must_bite=False, demands=moved_to(world.standby)))
