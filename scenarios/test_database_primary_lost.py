"""Only the Aurora writer dies; the region around it is well.

The real thing: GitLab on 31 January 2017, when the primary database was lost and none of the replicas was ready to take
over. Shallow health checks stay green in such an outage, so traffic moves only if the check looks through to the database.
"""

from __future__ import annotations

from gameday.plugin import Play
from gameday.scenario import MOBILE, Scenario
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import PRIMARY, STANDBY

SCENARIO = Scenario.of(DatabaseLost(PRIMARY), moved_to=STANDBY, cohorts=MOBILE)


def test_database_primary_lost(play: Play) -> None:
    """The deep health check fails, DNS leads to the standby, whose database is promoted."""
    play(SCENARIO)
