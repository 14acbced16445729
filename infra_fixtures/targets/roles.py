"""Give the regions their roles back after a drill, by AWS API calls alone: the same for every target."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from drill.wait import wait_until
from infra_fixtures.targets.parts import DatabasePart, HealthChecksPart

ROLES_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.1
P = TypeVar("P")


class Roles(Protocol):
    """What handing roles back needs of a world."""

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""

    def part(self, kind: type[P]) -> P | None:
        """A part of it, or None."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client."""


def return_to_primary(world: Roles, *, timeout_s: float = ROLES_TIMEOUT_S, look_every_s: float = LOOK_EVERY_S) -> None:
    """Make the primary region's cluster the writer again and stop diverting traffic from it; does nothing where it is.

    A managed switchover, so nothing is lost (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/
    aurora-global-database-disaster-recovery.html). Raises WaitTimeout where the global cluster does not settle.
    """
    database, checks = world.part(DatabasePart), world.part(HealthChecksPart)
    if database is not None:
        _write_in(world, database, timeout_s, look_every_s)
    if checks is not None:
        route53, own = world.client("route53"), checks.ids[world.primary]
        if route53.get_health_check(HealthCheckId=own)["HealthCheck"]["HealthCheckConfig"].get("Inverted"):
            route53.update_health_check(HealthCheckId=own, Inverted=False)


def _write_in(world: Roles, database: DatabasePart, timeout_s: float, look_every_s: float) -> None:
    """Have the primary's cluster write."""
    rds, primary_cluster = world.client("rds", world.primary), database.clusters[world.primary]

    def settled() -> Any:
        found = rds.describe_global_clusters(GlobalClusterIdentifier=database.global_cluster_id)["GlobalClusters"][0]
        return found if found["Status"] == "available" else None

    cluster = wait_until(settled, what="the global cluster to be available", timeout_s=timeout_s, every_s=look_every_s)
    if _writer(cluster) != primary_cluster.arn:
        rds.switchover_global_cluster(
            GlobalClusterIdentifier=database.global_cluster_id, TargetDbClusterIdentifier=primary_cluster.arn
        )
        wait_until(
            lambda: (found := settled()) and _writer(found) == primary_cluster.arn,
            what=f"the cluster of {world.primary} to be the writer again",
            timeout_s=timeout_s,
            every_s=look_every_s,
        )


def _writer(global_cluster: Any) -> str:
    return next((str(m["DBClusterArn"]) for m in global_cluster["GlobalClusterMembers"] if m["IsWriter"]), "")
