"""Only the Aurora node of a region dies; everything around it lives on."""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.powers import Harm, ProcessPower, Role
from infra_fixtures.safety.undo import RestoreProcesses, power
from infra_fixtures.targets.world import World


class DatabaseLost(Fault, frozen=True):
    """SIGKILL the database of `region`; healing starts it again, joined to whoever writes by then."""

    not_in_fis: ClassVar[str] = (
        "aws:rds:failover-db-cluster moves the writer within its region, and a rebooted instance comes back by itself"
    )
    powers: ClassVar[tuple[type, ...]] = (ProcessPower,)
    region: str = PRIMARY

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The database."""
        return (Harmed(self.region, "database"),)

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        region = region_of(world, self.region)
        return Injection(
            region,
            [RestoreProcesses(region, Role.DATABASE)],
            lambda _learn: power(world, ProcessPower).harm_processes(region, Role.DATABASE, Harm.KILL),
        )
