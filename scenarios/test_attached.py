"""A system that stands already is broken as its owner says, and must come back as its owner means it to.

The real thing: a game day on what serves users, where the owner knows best how a site is lost: a command, a console, a cable.
"""

from __future__ import annotations

import pytest

from gameday.plugin import Play
from gameday.scenario import Scenario
from infra_fixtures.faults.described import Described

SCENARIO = Scenario.of(Described())


@pytest.mark.target("attach")
def test_attached(play: Play) -> None:
    """What the description's [break] says: clients are served by the standby, and nothing that was acknowledged is lost."""
    play(SCENARIO)
