"""The standby takes over as planned, under load, and nothing may be lost.

The real thing: every game day, and every evacuation ahead of a hurricane or a data-centre move. A managed switchover
waits until the replica has everything before it changes roles
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html).
"""

from __future__ import annotations

from gameday.plugin import Play
from gameday.scenario import MOBILE, Scenario
from infra_fixtures.faults.fault import STANDBY
from infra_fixtures.faults.planned_switchover import PlannedSwitchover

SCENARIO = Scenario.of(PlannedSwitchover(), moved_to=STANDBY, impact=False, cohorts=MOBILE)


def test_planned_switchover(play: Play) -> None:
    """Writers pause while roles change hands and traffic follows; every acknowledged order is there afterwards."""
    play(SCENARIO)
