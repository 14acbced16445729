"""The whole region is gone at once: processes killed, links cut, its AWS endpoint unreachable."""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.powers import RegionPower
from infra_fixtures.safety.undo import RestoreRegion, power
from infra_fixtures.targets.world import World


class RegionLost(Fault, frozen=True):
    """Lose `region`; healing brings it back, its database joined to whoever writes by then."""

    not_in_fis: ClassVar[str] = (
        "none takes a region away; Cross-Region: Connectivity denies what leaves a region, and not the services of AWS"
    )
    powers: ClassVar[tuple[type, ...]] = (RegionPower,)
    region: str = PRIMARY

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The region, its database with it."""
        return (Harmed(self.region, "region"), Harmed(self.region, "database"))

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        region = region_of(world, self.region)
        return Injection(region, [RestoreRegion(region)], lambda _learn: power(world, RegionPower).lose_region(region))
