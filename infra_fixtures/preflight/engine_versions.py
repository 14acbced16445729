"""Do both clusters run the same version?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen, both
from infra_fixtures.preflight.rds_cluster import cluster
from infra_fixtures.targets.parts import DatabasePart


class EngineVersions(Check):
    """A managed failover or switchover wants the same major and minor version in both."""

    parts: ClassVar[tuple[type, ...]] = (DatabasePart,)
    mend: ClassVar[str] = "upgrade the older cluster"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Compare them."""
        versions = {region: str(cluster(seen, region)["EngineVersion"]) for region in both(seen)}
        if len(set(versions.values())) > 1:
            yield " and ".join(f"{region} runs {version}" for region, version in versions.items())
