"""An owner's command as a fault."""

from __future__ import annotations

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.faults.schedule import Schedule


def test_a_command_that_nothing_undoes_is_refused() -> None:
    """It would be called healed at once; a failover may be one whose roles go back by themselves."""
    table = {"fault": "command", "command": ["stop", "it"]}
    with pytest.raises(UnusableInput, match="mine: the fault command is not understood: there is no heal"):
        Schedule.from_tables([table], source="mine")
    for more in ({"heal": {"command": "start it"}}, {"roles": True}):
        assert Schedule.from_tables([table | more], source="mine").main.fault.name == "command"
