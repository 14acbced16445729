"""Nothing is broken, so nothing is proved: the drill that checks the drill.

The real thing: a game day whose fault injection silently failed, and whose report said "recovered in 0 s".
"""

from __future__ import annotations

from drill.demands import stayed_at
from drill.objective import Verdict
from drill.run import Drill, Plan
from infra_fixtures.faults.nothing import nothing
from infra_fixtures.targets.world import World


def test_nothing_broken(drill: Drill, world: World) -> None:
    """A fault that nobody feels must come out UNPROVEN for just that reason, never as a pass."""
    plan = Plan(expect=Verdict.UNPROVEN, expect_because="felt", demands=stayed_at(world.primary))
    drill.run(nothing(world), plan)
