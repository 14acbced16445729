"""Has CloudWatch raised the alarm that fires the failover controller?"""

from __future__ import annotations

import threading
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.targets.parts import AlarmPart, part_of
from infra_fixtures.targets.world import World

LONGEST_POLL_INTERVAL_S = 1.0


class Alarm:
    """Marks alarm.state whenever the standby's alarm changes state; subject is the alarm, detail the new state."""

    name = "alarm"
    needs: ClassVar[tuple[type, ...]] = (AlarmPart,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._cloudwatch = world.client("cloudwatch", world.standby)
        self._alarm = part_of(world, AlarmPart).name

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop."""
        before = ""
        while not stop.is_set():
            try:
                found = self._cloudwatch.describe_alarms(AlarmNames=[self._alarm])["MetricAlarms"]
            except (BotoCoreError, ClientError):
                found = []  # the standby itself may be what is broken
            if found and found[0]["StateValue"] != before:
                before = found[0]["StateValue"]
                recorder.mark("alarm.state", self._alarm, before)
            self._world.wait_for_change(frozenset({"cloudwatch"}), LONGEST_POLL_INTERVAL_S)
