"""What the description of an attached system says is done to break it, and to fail it over: other faults stand for it."""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Injection
from infra_fixtures.targets.parts import BreakPart
from infra_fixtures.targets.world import World


class NotExpanded(Exception):
    """`described` is only ever played as what the system's description says."""


class Described(Fault, frozen=True):
    """Break the system as its own description says ([break], [heal], [failover], [failback])."""

    parts: ClassVar[tuple[type, ...]] = (BreakPart,)

    def prepare(self, world: World) -> Injection:
        """Never: `Schedule.in_world` has put what is described in its place."""
        raise NotExpanded("a described fault was prepared itself: play its schedule in_world")
