"""Not a fault but a manoeuvre: the controller is told to hand over to the standby, as in a planned game day."""

from __future__ import annotations

import json
from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Harmed, Injection, Learn
from infra_fixtures.safety.undo import ReturnToPrimary
from infra_fixtures.targets.parts import ControllerPart, part_of
from infra_fixtures.targets.world import World


class ControllerFailed(Exception):
    """The failover controller answered with an error; the message is its own."""


class PlannedSwitchover(Fault, frozen=True):
    """Invoke the standby's failover controller with mode switchover; healing gives the roles back."""

    parts: ClassVar[tuple[type, ...]] = (ControllerPart,)

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """Who writes."""
        return (Harmed("", "roles"),)

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        function = part_of(world, ControllerPart).function

        def act(_learn: Learn) -> None:
            answer = world.client("lambda", world.standby).invoke(
                FunctionName=function, Payload=json.dumps({"mode": "switchover"}).encode()
            )
            said = answer["Payload"].read().decode()
            if answer.get("FunctionError"):
                raise ControllerFailed(f"the failover controller could not switch over: {said[:500]}")

        return Injection(f"{world.primary}->{world.standby}", [ReturnToPrimary()], act)
