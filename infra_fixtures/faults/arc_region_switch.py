"""An ARC Region-switch plan is executed: the owner's own recovery, step by step, as AWS runs it."""

from __future__ import annotations

from typing import ClassVar, Literal

from infra_fixtures.faults.fault import STANDBY, Fault, Harmed, Injection, NotSupported, region_of
from infra_fixtures.powers import Instant
from infra_fixtures.safety.arc import execute_plan
from infra_fixtures.safety.undo import ExecutePlan, Learn
from infra_fixtures.safety.way import Seconds
from infra_fixtures.targets.world import World


class ArcRegionSwitch(Fault, frozen=True):
    """Execute `plan` (its ARN) to activate `region`, in that region, and wait until it is completed; healing executes it to
    activate the other one. `mode` ungraceful is for a region that is lost."""

    not_in_fis: ClassVar[str] = "it executes no plan of Region switch"
    plan: str
    region: str = STANDBY
    mode: Literal["graceful", "ungraceful"] = "graceful"
    timeout_s: Seconds = 1800.0

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """Who serves."""
        return (Harmed("", "roles"),)

    def check(self, world: World) -> None:
        """There must be an account."""
        if world.client("arc-region-switch", region_of(world, self.region)) is None:
            raise NotSupported(self.name, world.target, "an AWS account")

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        target = region_of(world, self.region)
        other = world.primary if target == world.standby else world.standby
        client = world.client("arc-region-switch", target)

        def act(_learn: Learn) -> Instant:
            return execute_plan(client, self.plan, target, action="activate", mode=self.mode, timeout_s=self.timeout_s)

        undo = ExecutePlan(self.plan, other, "activate", "graceful", self.timeout_s)
        return Injection(f"{other}->{target}", [undo], act)
