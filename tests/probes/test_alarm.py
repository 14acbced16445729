"""The standby's alarm is marked whenever its state changes."""

from __future__ import annotations

from drill.wait import wait_until
from probes.alarm import Alarm
from tests.probes.conftest import watching
from tests.real_world import System


def test_an_alarm_that_goes_off_and_ends_is_marked(system: System) -> None:
    """SetAlarmState, with its actions off so that nobody fails over: ALARM at once, OK when it is evaluated again."""
    world = system.world
    cloudwatch, name = world.client("cloudwatch", world.standby), world.deployed.alarm_name
    with watching(Alarm(world)) as notebook:
        notebook.await_said("alarm.state", subject=name, detail="OK")
        cloudwatch.disable_alarm_actions(AlarmNames=[name])
        try:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test of the probe")
            notebook.await_said("alarm.state", subject=name, detail="ALARM")
            wait_until(lambda: len(notebook.found("alarm.state")) == 3, what="the next evaluation", timeout_s=15)
        finally:
            cloudwatch.enable_alarm_actions(AlarmNames=[name])
    assert [s.detail for s in notebook.found("alarm.state")] == ["OK", "ALARM", "OK"]
