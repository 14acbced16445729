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


def test_what_its_healing_is_given_the_watchdog_has_too() -> None:
    """By name, of all faults of a schedule; what breaks may be given more."""
    tables = [
        {
            "fault": "command",
            "command": "stop",
            "environment": ["BREAKS"],
            "heal": {"command": "x", "environment": ["A"]},
        },
        {"fault": "operator", "what": "pull it", "heal": {"command": "y", "environment": ["A", "B"]}},
        {"fault": "chaos_toolkit_method", "file": "e.json", "environment": ["AWS_PROFILE"]},
        {"fault": "nothing"},
    ]
    found = [Schedule.from_tables([table], source="mine").healing_variables for table in tables]
    assert found == [("HOME", "A"), ("HOME", "A", "B"), ("HOME", "AWS_PROFILE"), ()]
