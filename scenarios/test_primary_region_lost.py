"""The whole primary region is gone at once.

The real thing: us-east-1 on 20 October 2025, when a DNS fault in DynamoDB took dozens of services with it for hours, and
on 7 December 2021, when its internal network was overwhelmed and its own control plane was hard to reach. Whoever had a
standby elsewhere had to fail over without any help from the region that was lost.
"""

from __future__ import annotations

from gameday.plugin import Play
from gameday.scenario import Scenario
from infra_fixtures.faults.fault import PRIMARY, STANDBY
from infra_fixtures.faults.region_lost import RegionLost

SCENARIO = Scenario.of(RegionLost(PRIMARY), moved_to=STANDBY)


def test_primary_region_lost(play: Play) -> None:
    """Health checks fail, DNS leads to the standby, the alarm's controller promotes its database: orders flow again."""
    play(SCENARIO)
