"""The deployed failover controller decides by what it finds: switch over, fail over, or leave it."""

from __future__ import annotations

import json
from typing import Any

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.region_lost import RegionLost
from tests.real_world import System

LATE_ALARM_S = 4.0
"""Until then the alarm may still go off for a fault that is healed: its periods of 10 s, three of them, at pace 10."""


def decide(system: System, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke it as SNS would; its decision."""
    answer = system.world.client("lambda", system.world.standby).invoke(
        FunctionName=system.world.deployed.controller_function, Payload=json.dumps(event).encode()
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def alarm(system: System, state: str = "ALARM", name: str = "") -> dict[str, Any]:
    """The event of our alarm, or of another's."""
    message = {
        "AlarmName": name or system.world.deployed.alarm_name,
        "NewStateValue": state,
        "NewStateReason": "a test",
    }
    return {"Records": [{"Sns": {"Message": json.dumps(message)}}]}


def test_what_is_no_alarm_of_ours_moves_nothing(system: System) -> None:
    """Another alarm, an alarm that ends, a broken message, no records at all."""
    broken: dict[str, Any] = {"Records": [{"Sns": {"Message": "not JSON"}}]}
    events: list[dict[str, Any]] = [alarm(system, name="another"), alarm(system, "OK"), broken, {"Records": []}, {}]
    for event in events:
        assert decide(system, event)["decision"] == "nothing"
    assert system.writer() == system.world.primary


def test_a_well_database_is_switched_over_and_only_once(system: System) -> None:
    """The alarm goes off although the database is well (only its front is lost): a switchover, nothing lost."""
    kept = system.primary.order()
    said = decide(system, alarm(system))
    assert (said["decision"], said["alarm"]) == ("switched over", "a test")
    assert "reserved" in said["capacity"]
    assert "failed" not in said["capacity"]
    assert system.writer() == system.world.standby
    assert system.standby.holds(kept)
    again = decide(system, alarm(system))
    assert (again["decision"], again["because"]) == ("nothing", "the standby's cluster is the writer already")


def test_a_dead_database_is_failed_over(system: System) -> None:
    """No instance is available: the standby is promoted whatever it lacks, and takes orders."""
    with injected(system.world, DatabaseLost(system.world.primary)):
        said = decide(system, {"mode": "failover"})
        assert said["decision"] in ("failed over", "nothing"), "nothing where its own alarm was first"
        wait_until(lambda: system.writer() == system.world.standby, what="the standby to write", timeout_s=10)
        system.standby.order()
    system.is_as_before(lasting_s=LATE_ALARM_S)


def test_a_silent_region_is_failed_over(system: System) -> None:
    """The primary's RDS API does not answer at all: that is said, within the time a lost region may cost."""
    with injected(system.world, RegionLost(system.world.primary)):
        said = decide(system, alarm(system))
        if said["decision"] != "nothing":  # its own alarm may have been first
            assert (said["decision"], "does not answer" in said["because"]) == ("failed over", True)
        wait_until(lambda: system.writer() == system.world.standby, what="the standby to write", timeout_s=10)
        system.standby.order()
    system.is_as_before(lasting_s=LATE_ALARM_S)
