"""Not a fault but a manoeuvre: the controller is told to hand over to the standby, as in a planned game day."""

from __future__ import annotations

import json

from infra_fixtures.faults.fault import Fault, injected
from infra_fixtures.safety.journal import PowerCall
from infra_fixtures.targets.parts import ControllerPart, part_of
from infra_fixtures.targets.world import World


class ControllerFailed(Exception):
    """The failover controller answered with an error; the message is its own."""


def planned_switchover(world: World) -> Fault:
    """Invoke the standby's failover controller with mode switchover; healing gives the roles back."""

    controller = part_of(world, ControllerPart).function

    def inject() -> None:
        answer = world.client("lambda", world.standby).invoke(
            FunctionName=controller,
            Payload=json.dumps({"mode": "switchover"}).encode(),
        )
        said = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise ControllerFailed(f"the failover controller could not switch over: {said[:500]}")

    return injected(
        world,
        "planned_switchover",
        f"{world.primary}->{world.standby}",
        undo=[PowerCall("return_to_primary")],
        inject=inject,
    )
