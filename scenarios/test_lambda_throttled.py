"""The primary's compute is throttled to nothing while its data stays well.

The real thing: an account at its concurrency limit. One runaway function takes every slot of the region, and the order
API next to it is refused at once, with the database in perfect health.
"""

from __future__ import annotations

import pytest

from drill.demands import moved_to
from drill.run import Drill, Plan
from infra_fixtures.faults.lambda_throttled import lambda_throttled
from infra_fixtures.targets.parts import FunctionsPart, part_of
from infra_fixtures.targets.world import World
from scenarios.stage import MOBILE


@pytest.mark.traffic(cohorts=MOBILE)
def test_lambda_throttled(drill: Drill, world: World) -> None:
    """Reserved concurrency 0 through the AWS API: traffic and database move to the standby, with nothing lost."""
    fault = lambda_throttled(world, world.primary, part_of(world, FunctionsPart).orders)
    drill.run(fault, Plan(demands=moved_to(world.standby)))
