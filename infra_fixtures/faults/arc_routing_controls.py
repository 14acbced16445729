"""ARC routing controls are turned: traffic moves because somebody says so, whatever health checks find.

The real thing: an evacuation by hand, of a region that is half well, which no health check decides.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from infra_fixtures.faults.fault import Fault, Harmed, Injection
from infra_fixtures.powers import EndpointPower, Instant
from infra_fixtures.safety.arc import set_states, states_of
from infra_fixtures.safety.undo import Learn, SetRoutingControls, power
from infra_fixtures.targets.world import World

ON, OFF = "On", "Off"
Arns = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class ArcRoutingControls(Fault, frozen=True):
    """Turn routing controls `on` and `off`, by ARN, in one call to any of the cluster's `endpoints` (region to URL); healing
    gives each the state that it had."""

    powers: ClassVar[tuple[type, ...]] = (EndpointPower,)
    not_in_fis: ClassVar[str] = "it turns no routing control"
    endpoints: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    off: Arns
    on: tuple[str, ...] = ()

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """Who serves."""
        return (Harmed("", "roles"),)

    def prepare(self, world: World) -> Injection:
        """Read which states they have now."""
        client_at = power(world, EndpointPower).client_at
        wanted = dict.fromkeys(self.off, OFF) | dict.fromkeys(self.on, ON)
        before = states_of(client_at, self.endpoints, tuple(wanted))

        def act(_learn: Learn) -> Instant:
            return set_states(client_at, self.endpoints, wanted)

        return Injection(f"{world.primary}->{world.standby}", [SetRoutingControls(self.endpoints, before)], act)
