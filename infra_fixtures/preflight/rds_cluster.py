"""An Aurora cluster and its parameters, as checks read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.preflight.check import CannotSee, Seen, pages, part
from infra_fixtures.targets.parts import DatabasePart

DEFAULT = "default."
"""What the names of RDS's own groups begin with; nothing in them can be changed
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_WorkingWithParamGroups.html)."""


def cluster(seen: Seen, region: str) -> Mapping[str, Any]:
    """The region's cluster as RDS describes it."""
    name = part(seen, DatabasePart).clusters[region].id
    found: Mapping[str, Any] = seen.client("rds", region).describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][
        0
    ]
    return found


def instances(seen: Seen, region: str) -> list[Mapping[str, Any]]:
    """Its instances."""
    name = part(seen, DatabasePart).clusters[region].id
    of_it = [{"Name": "db-cluster-id", "Values": [name]}]
    return list(pages(seen.client("rds", region), "describe_db_instances", "DBInstances", Filters=of_it))


def changed(seen: Seen, region: str, group: str, *, of_instances: bool = False) -> dict[str, str]:
    """The parameters of a group that somebody has set, with their values; raises CannotSee where RDS lists none at all."""
    if group.startswith(DEFAULT):
        return {}
    call, name = (
        ("describe_db_parameters", "DBParameterGroupName")
        if of_instances
        else ("describe_db_cluster_parameters", "DBClusterParameterGroupName")
    )
    found = list(pages(seen.client("rds", region), call, "Parameters", **{name: group}))
    if not found:
        raise CannotSee(f"RDS lists no parameters of {group} in {region}")
    return {
        str(p["ParameterName"]): str(p["ParameterValue"])
        for p in found
        if p.get("ParameterValue") is not None and p.get("Source", "user") == "user"
    }
