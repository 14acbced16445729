"""Are the databases set the same in both regions?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen, both, listed
from infra_fixtures.preflight.global_db_rpo import PARAMETER
from infra_fixtures.preflight.rds_cluster import changed, cluster, instances
from infra_fixtures.targets.parts import DatabasePart


class ParameterGroups(Check):
    """A secondary inherits no parameter group: what was set in the primary has to be set again."""

    parts: ClassVar[tuple[type, ...]] = (DatabasePart,)
    mend: ClassVar[str] = "set the same in the standby's parameter groups"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-modifying.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Compare what somebody has set, in the clusters' groups and in those of their first instances."""
        own = {r: changed(seen, r, str(cluster(seen, r)["DBClusterParameterGroup"])) for r in both(seen)}
        yield from _differing(seen, own, "cluster")
        groups = {
            r: [str(g["DBParameterGroupName"]) for i in instances(seen, r)[:1] for g in i.get("DBParameterGroups", ())]
            for r in both(seen)
        }
        set_there = {
            r: {k: v for g in names for k, v in changed(seen, r, g, of_instances=True).items()}
            for r, names in groups.items()
        }
        if all(groups.values()):
            yield from _differing(seen, set_there, "instance")


def _differing(seen: Seen, own: Mapping[str, Mapping[str, str]], what: str) -> Iterator[str]:
    """rds.global_db_rpo is to be set in the primary alone."""
    here, there = own[seen.primary], own[seen.standby]
    names = {k for k in {*here, *there} - {PARAMETER} if here.get(k) != there.get(k)}
    if names:
        told = listed(
            f"{n} is {here.get(n, 'as RDS has it')} in {seen.primary} and {there.get(n, 'as RDS has it')} in {seen.standby}"
            for n in names
        )
        yield f"{what} parameters differ: {told}"
