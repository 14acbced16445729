"""When did the failover controller run, and what did it decide? Its own log in CloudWatch Logs says."""

from __future__ import annotations

import threading
import time
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.targets.parts import ControllerPart, part_of
from infra_fixtures.targets.world import World

LONGEST_POLL_INTERVAL_S = 1.0


class Controller:
    """Marks controller.invoked for each invocation that logs; subject is the function, detail its first line's words."""

    name = "controller"
    needs: ClassVar[tuple[type, ...]] = (ControllerPart,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._logs = world.client("logs", world.standby)
        self._function = part_of(world, ControllerPart).function

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop; log events carry UTC milliseconds, so a mark is exact to about a millisecond."""
        seen: set[str] = set()
        began_ms = int(time.time() * 1000)
        while not stop.is_set():
            for event in self._events(began_ms):
                if event["eventId"] not in seen:
                    seen.add(event["eventId"])
                    if event["message"].startswith("START "):
                        age_ns = int((time.time() - event["timestamp"] / 1000) * 1e9)
                        at_ns = time.monotonic_ns() - age_ns
                        recorder.mark("controller.invoked", self._function, event["message"].strip(), at_ns)
            self._world.wait_for_change(frozenset({"logs"}), LONGEST_POLL_INTERVAL_S)

    def _events(self, since_ms: int) -> list[dict[str, Any]]:
        try:
            answer = self._logs.filter_log_events(
                logGroupName=f"/aws/lambda/{self._function}", startTime=since_ms, interleaved=True
            )
        except (BotoCoreError, ClientError):
            return []  # the log group appears with the first invocation
        events: list[dict[str, Any]] = answer["events"]
        return events
