"""Nothing is broken, so nothing is proved: the drill that checks the drill.

The real thing: a game day whose fault injection silently failed, and whose report said "recovered in 0 s".
"""

from __future__ import annotations

from drill.objective import Verdict
from gameday.plugin import Play
from gameday.scenario import Scenario
from infra_fixtures.faults.fault import PRIMARY
from infra_fixtures.faults.nothing import Nothing

SCENARIO = Scenario.of(Nothing(), stayed_at=PRIMARY, expect=Verdict.UNPROVEN, expect_because="felt")


def test_nothing_broken(play: Play) -> None:
    """A fault that nobody feels must come out UNPROVEN for just that reason, never as a pass."""
    play(SCENARIO)
