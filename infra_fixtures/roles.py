"""Give the regions their roles back after a drill, by AWS API calls alone: the same for every target."""

from __future__ import annotations

from typing import Any, Protocol

from drill.wait import wait_until

ROLES_TIMEOUT_S = 60.0


class Roles(Protocol):
    """What handing roles back needs of a world."""

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""

    @property
    def deployed(self) -> Any:
        """`infra_fixtures.provision.Deployed`."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client."""


def return_to_primary(world: Roles) -> None:
    """Make the primary region's cluster the writer again and stop diverting traffic from it; does nothing where it is.

    A managed switchover, so nothing is lost (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/
    aurora-global-database-disaster-recovery.html). Raises WaitTimeout where the global cluster does not settle.
    """
    deployed = world.deployed
    home = deployed.regions[world.primary]
    rds = world.client("rds", world.primary)

    def settled() -> Any:
        found = rds.describe_global_clusters(GlobalClusterIdentifier=deployed.global_cluster_id)["GlobalClusters"][0]
        return found if found["Status"] == "available" else None

    cluster = wait_until(settled, what="the global cluster to be available", timeout_s=ROLES_TIMEOUT_S, every_s=0.1)
    if _writer(cluster) != home.cluster_arn:
        rds.switchover_global_cluster(
            GlobalClusterIdentifier=deployed.global_cluster_id, TargetDbClusterIdentifier=home.cluster_arn
        )
        wait_until(
            lambda: (found := settled()) and _writer(found) == home.cluster_arn,
            what=f"the cluster of {world.primary} to be the writer again",
            timeout_s=ROLES_TIMEOUT_S,
            every_s=0.1,
        )
    route53 = world.client("route53")
    check = route53.get_health_check(HealthCheckId=home.health_check_id)["HealthCheck"]["HealthCheckConfig"]
    if check.get("Inverted"):
        route53.update_health_check(HealthCheckId=home.health_check_id, Inverted=False)


def _writer(global_cluster: Any) -> str:
    return next((str(m["DBClusterArn"]) for m in global_cluster["GlobalClusterMembers"] if m["IsWriter"]), "")
