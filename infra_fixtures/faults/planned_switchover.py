"""Not a fault but a manoeuvre: the controller is told to hand over to the standby, as in a planned game day."""

from __future__ import annotations

import json
from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Harmed, Injection
from infra_fixtures.fis.switchover import SWITCHOVER
from infra_fixtures.fis.written import FisAction, Place
from infra_fixtures.safety.undo import Learn, ReturnToPrimary
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

    def in_fis(self, place: Place) -> FisAction:
        """By an automation of SSM that switches the Aurora global database over, in the primary's region."""
        return FisAction(
            "aws:ssm:start-automation-execution",
            place.primary,
            lasts="maxDuration",
            differs="Only the database moves: capacity and traffic are left to the system",
            automation=SWITCHOVER,
        )

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
