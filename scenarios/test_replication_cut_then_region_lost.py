"""Replication hangs for three seconds under load, and then the region dies: acknowledged orders are lost.

The real thing: GitHub on 21 October 2018, when 43 seconds without a link between two coasts left writes on each side that
the other never saw, and took 24 hours to reconcile. Asynchronous replication loses what it had not shipped; a drill that
cannot say how much is worth nothing.
"""

from __future__ import annotations

from gameday.plugin import Play
from gameday.scenario import Range, Scenario
from infra_fixtures.faults.fault import PRIMARY, STANDBY
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.replication_cut import ReplicationCut
from infra_fixtures.faults.schedule import Scheduled

CUT_S = 3.0

SCENARIO = Scenario.of(
    ReplicationCut(),
    Scheduled(RegionLost(PRIMARY), at_s=CUT_S),
    moved_to=STANDBY,
    figures={"lost_writes": Range(least=1), "rpo_s": Range(CUT_S - 0.1, CUT_S + 0.3)},
)


def test_replication_cut_then_region_lost(play: Play) -> None:
    """What was acknowledged while the link was cut is lost, and the drill says how much and how old."""
    play(SCENARIO)
