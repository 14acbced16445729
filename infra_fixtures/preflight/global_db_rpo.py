"""Is rds.global_db_rpo set where it may pause commits after a failover?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen
from infra_fixtures.preflight.rds_cluster import changed, cluster
from infra_fixtures.targets.parts import DatabasePart

PARAMETER = "rds.global_db_rpo"


class GlobalDbRpo(Check):
    """With two regions the secondary's must keep its default: once it is the primary, nobody follows it in time."""

    parts: ClassVar[tuple[type, ...]] = (DatabasePart,)
    mend: ClassVar[str] = f"reset {PARAMETER} in the standby's cluster parameter group"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Look at the standby's group."""
        group = str(cluster(seen, seen.standby)["DBClusterParameterGroup"])
        value = changed(seen, seen.standby, group).get(PARAMETER)
        if value is not None:
            yield f"{PARAMETER} is {value} in {group} of {seen.standby}, so commits may pause once it is the primary"
