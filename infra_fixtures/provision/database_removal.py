"""The database layer taken away: the global database dissolved, its clusters and instances deleted, the secret too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from drill.wait import wait_until
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.database import NOT_YET
from infra_fixtures.provision.naming import Names

DELETION_LIMIT_S = 2400.0
NO_CLUSTER = ("DBClusterNotFoundFault", "DBClusterNotFound")
NO_INSTANCE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")


def tear_down(clients: Mapping[str, Any], names: Names) -> None:
    """Delete the global database whole; `clients` are RDS by region. Waits until the clusters are gone.

    Clusters leave the global database first, the secondary before the primary, and are deleted as what they are then,
    standalone ones (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-deleting.html).
    """
    _dissolve(clients, names)
    for region, rds in clients.items():
        _delete(
            lambda rds=rds, region=region: ignore_errors(  # type: ignore[misc]
                NO_INSTANCE, rds.delete_db_instance, DBInstanceIdentifier=names.instance(region), SkipFinalSnapshot=True
            ),
            what=f"the instance of {region} to let itself be deleted",
        )
    for region, rds in clients.items():
        wait_until(
            lambda rds=rds, region=region: (  # type: ignore[misc]
                ignore_errors(NO_INSTANCE, rds.describe_db_instances, DBInstanceIdentifier=names.instance(region))
                is None
            ),
            what=f"the instance of {region} to be deleted",
            timeout_s=DELETION_LIMIT_S,
            every_s=0.5,
        )
        _delete(
            lambda rds=rds, region=region: ignore_errors(  # type: ignore[misc]
                NO_CLUSTER, rds.delete_db_cluster, DBClusterIdentifier=names.cluster(region), SkipFinalSnapshot=True
            ),
            what=f"the cluster of {region} to let itself be deleted",
        )
    for region, rds in clients.items():
        wait_until(
            lambda rds=rds, region=region: (  # type: ignore[misc]
                ignore_errors(NO_CLUSTER, rds.describe_db_clusters, DBClusterIdentifier=names.cluster(region)) is None
            ),
            what=f"the cluster of {region} to be deleted",
            timeout_s=DELETION_LIMIT_S,
            every_s=0.5,
        )
        ignore_errors("DBSubnetGroupNotFoundFault", rds.delete_db_subnet_group, DBSubnetGroupName=names.of("private"))


def _delete(call: Callable[[], Any], what: str) -> None:
    """Delete it, as soon as its state lets it; one that is deleted already by another is no error."""

    def called() -> Any:
        try:
            return call()
        except ClientError as e:
            if "deleted" in e.response["Error"].get("Message", "") or "deleting" in e.response["Error"].get(
                "Message", ""
            ):
                return None
            raise

    retry_while(NOT_YET, called, what=what, timeout_s=DELETION_LIMIT_S)


def tear_down_secret(primary: Any, names: Names, replica: str) -> None:
    """Delete the secret and its replica at once, without a recovery window."""
    name = names.of("database")
    existing = ignore_errors("ResourceNotFoundException", primary.describe_secret, SecretId=name)
    if existing is None:
        return
    if existing.get("ReplicationStatus"):
        primary.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=[replica])
    primary.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def _dissolve(clients: Mapping[str, Any], names: Names) -> None:
    """Take the members out of the global cluster, readers first, and delete it."""
    rds = next(iter(clients.values()))
    for arn, _ in sorted(_members(rds, names).items(), key=lambda member: member[1]):
        retry_while(
            NOT_YET,
            lambda arn=arn: ignore_errors(
                NO_CLUSTER,
                clients[arn.split(":")[3]].remove_from_global_cluster,
                GlobalClusterIdentifier=names.global_cluster,
                DbClusterIdentifier=arn,
            ),
            what=f"{arn} to let itself be taken out of the global cluster",
            timeout_s=DELETION_LIMIT_S,
        )
        wait_until(
            lambda arn=arn: arn not in _members(rds, names),  # type: ignore[misc]
            what=f"{arn} to leave the global cluster",
            timeout_s=DELETION_LIMIT_S,
            every_s=0.5,
        )
    retry_while(
        NOT_YET,
        lambda: ignore_errors(
            "GlobalClusterNotFoundFault", rds.delete_global_cluster, GlobalClusterIdentifier=names.global_cluster
        ),
        what=f"{names.global_cluster} to be empty",
        timeout_s=DELETION_LIMIT_S,
    )


def _members(rds: Any, names: Names) -> dict[str, bool]:
    """The ARNs of the global cluster's members, and whether each is the writer; nothing where there is no such cluster."""
    found = ignore_errors(
        "GlobalClusterNotFoundFault", rds.describe_global_clusters, GlobalClusterIdentifier=names.global_cluster
    )
    if found is None:
        return {}
    return {str(m["DBClusterArn"]): bool(m["IsWriter"]) for m in found["GlobalClusters"][0]["GlobalClusterMembers"]}
