"""aws:rds:failover-db-cluster and aws:rds:reboot-db-instances: the calls of RDS, awaited until the database is back.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#rds-actions-reference. RDS refuses the failover
of a cluster with one instance, which fails the action.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from drill.wait import WaitTimeout, await_until
from infra_fixtures.control_plane.fis.actions.action import Acting, Action, ActionFailed, Parameter, Resource

LOOK_S = 0.1
BEGINS_S = 1.0
"""How long the change may take until it is seen in the API (real seconds)."""
LIMIT_S = 120.0
AVAILABLE = "available"


async def _fail_over(acting: Acting) -> None:
    for cluster in acting.targets["Clusters"]:
        await acting.caller.do("rds", "failover_db_cluster", DBClusterIdentifier=cluster.name)
    await _all_available(acting, [i for c in acting.targets["Clusters"] for i in _members(c)])


async def _reboot(acting: Acting) -> None:
    forced = acting.parameters.get("forceFailover", "false").lower() == "true"
    for instance in acting.targets["DBInstances"]:
        if forced:
            raise ActionFailed(
                f"{instance.arn}: InvalidParameterCombination: ForceFailover is for Multi-AZ DB instances; this is Aurora's."
            )
        await acting.caller.do("rds", "reboot_db_instance", DBInstanceIdentifier=instance.name)
    await _all_available(acting, [i.name for i in acting.targets["DBInstances"]])


async def _all_available(acting: Acting, instances: list[str]) -> None:
    """Until all were seen to be away and are back, or never were seen away for a while."""
    await asyncio.sleep(BEGINS_S)
    try:
        await await_until(
            lambda: _available(acting, instances), what=", ".join(instances), timeout_s=LIMIT_S, every_s=LOOK_S
        )
    except WaitTimeout as e:
        raise ActionFailed(f"The instances did not become available. {e}") from e


async def _available(acting: Acting, instances: list[str]) -> bool:
    said = await acting.caller.do("rds", "describe_db_instances")
    found: Mapping[str, Any] = {i["DBInstanceIdentifier"]: i["DBInstanceStatus"] for i in said["DBInstances"]}
    return all(found.get(name) == AVAILABLE for name in instances)


def _members(cluster: Resource) -> list[str]:
    return [m["DBInstanceIdentifier"] for m in cluster.said.get("DBClusterMembers", ())]


ACTIONS = (
    Action(
        "aws:rds:failover-db-cluster",
        "Failover a DB Cluster to one of the replicas.",
        _fail_over,
        target=("Clusters", "aws:rds:cluster"),
    ),
    Action(
        "aws:rds:reboot-db-instances",
        "Reboot the specified DB instances.",
        _reboot,
        {
            "forceFailover": Parameter(
                "If true, reboot is conducted through a Multi-AZ failover.", values=("true", "false")
            )
        },
        ("DBInstances", "aws:rds:db"),
    ),
)
