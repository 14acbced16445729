"""The primary's compute is throttled to nothing while its data stays well.

The real thing: an account at its concurrency limit. One runaway function takes every slot of the region, and the order
API next to it is refused at once, with the database in perfect health.
"""

from __future__ import annotations

from gameday.plugin import Play
from gameday.scenario import MOBILE, Scenario
from infra_fixtures.faults.fault import PRIMARY, STANDBY
from infra_fixtures.faults.lambda_throttled import LambdaThrottled

SCENARIO = Scenario.of(LambdaThrottled(PRIMARY), moved_to=STANDBY, cohorts=MOBILE)


def test_lambda_throttled(play: Play) -> None:
    """Reserved concurrency 0 through the AWS API: traffic and database move to the standby, with nothing lost."""
    play(SCENARIO)
