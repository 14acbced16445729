"""Has the standby's cluster an instance?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen
from infra_fixtures.preflight.rds_cluster import instances
from infra_fixtures.targets.parts import DatabasePart


class HeadlessStandby(Check):
    """A headless cluster has storage alone: a failover to it has nothing to serve with until an instance is made."""

    parts: ClassVar[tuple[type, ...]] = (DatabasePart,)
    mend: ClassVar[str] = "add an instance to it, or drill the making of one as a step of the recovery"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-attach.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Look for one that is available."""
        found = instances(seen, seen.standby)
        if not found:
            yield f"the cluster in {seen.standby} has no instance"
        elif all(each["DBInstanceStatus"] != "available" for each in found):
            yield f"no instance of the cluster in {seen.standby} is available"
