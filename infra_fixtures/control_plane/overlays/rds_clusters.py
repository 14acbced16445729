"""Aurora clusters in RDS: refused where AWS refuses them, and described as the data plane observes them.

moto takes a second cluster of the same name for the first, a global cluster that is not there for one that is, a
disabled KMS key for a good one, and forgets the password of a global cluster's primary.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from moto.rds.exceptions import (
    DBClusterNotFoundError,
    InvalidDBClusterStateFault,
    InvalidParameterCombination,
    InvalidParameterValue,
    KMSKeyNotAccessibleFault,
    RDSClientError,
)
from moto.rds.models import DBCluster, DBInstanceClustered, GlobalCluster, RDSBackend, rds_backends

from infra_fixtures.control_plane.overlays.neighbours import neighbour
from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

PASSWORD_LENGTH = range(8, 129)
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html, MasterUserPassword."""


def apply(layout: RunLayout) -> None:
    """Mend moto's clusters."""
    replaces(RDSBackend, "create_db_cluster")(_creating(RDSBackend.create_db_cluster))
    replaces(RDSBackend, "delete_db_cluster")(_deleting(RDSBackend.delete_db_cluster))
    replaces(DBCluster, "endpoint")(property(_observed_or("endpoint", vars(DBCluster)["endpoint"])))
    replaces(DBCluster, "reader_endpoint")(
        property(_observed_or("reader_endpoint", vars(DBCluster)["reader_endpoint"]))
    )
    DBInstanceClustered.address = property(_instance_address)  # type: ignore[assignment,method-assign]


def find_cluster(account_id: str, identifier: str, region: str = "") -> DBCluster:
    """A cluster by its ARN, or by its name in `region`; raises DBClusterNotFoundFault."""
    if identifier.startswith("arn:"):
        region, identifier = identifier.split(":")[3], identifier.rsplit(":", 1)[-1]
    cluster = rds_backends[account_id][region].clusters.get(identifier)
    if cluster is None:
        raise DBClusterNotFoundError(identifier)
    return cluster


def global_clusters(account_id: str) -> list[GlobalCluster]:
    """Every global cluster; moto keeps them with us-east-1 whatever region asks."""
    return list(rds_backends[account_id]["us-east-1"].global_clusters.values())


def global_cluster_of(cluster: DBCluster) -> GlobalCluster | None:
    """The global cluster that a cluster is a member of."""
    return next((g for g in global_clusters(cluster.account_id) if cluster in g.members), None)


def observe(account_id: str, region: str, cluster_id: str, fields: dict[str, Any]) -> bool:
    """Take over what the data plane says of a cluster; False where nothing of it is new. KeyError where there is none."""
    cluster = rds_backends[account_id][region].clusters[cluster_id]
    before = (cluster._status, cluster.port, dict(_observed(cluster)), [i.status for i in cluster._members])
    if (status := fields.get("status")) is not None:
        cluster.status = status
    if (port := fields.get("port")) is not None:
        cluster.port = port
    observed = _observed(cluster)
    for name in ("endpoint", "reader_endpoint"):
        if fields.get(name) is not None:
            observed[name] = fields[name]
    for instance in cluster._members:
        if (instance_status := fields.get("instance_status")) is not None:
            instance.status = instance_status
        if port is not None:
            instance.port = port
    return before != (cluster._status, cluster.port, observed, [i.status for i in cluster._members])


def credentials(account_id: str, region: str, cluster_id: str) -> dict[str, str]:
    """username, password and database of a cluster, a secondary's being its primary's. KeyError where there is none."""
    cluster = rds_backends[account_id][region].clusters[cluster_id]
    joined = global_cluster_of(cluster)
    if joined is not None:
        cluster = next((m for m in joined.members if m.is_writer), cluster)
    if cluster.manage_master_user_password:
        secrets = cluster.backend.secretsmanager
        secret = json.loads(secrets.get_secret_value(cluster.master_user_secret.secret_arn, "", "")["SecretString"])
        username, password = cluster.master_username or secret["username"], secret["password"]
    else:
        username, password = cluster.master_username or "", getattr(cluster, "_master_user_password", "")
    return {"username": username, "password": password, "database": cluster.database_name or ""}


def _creating(original: Any) -> Any:
    def create_db_cluster(self: RDSBackend, kwargs: dict[str, Any]) -> DBCluster:
        name = kwargs["db_cluster_identifier"]
        if name in self.clusters:
            raise RDSClientError("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {name}")
        if key := kwargs.get("kms_key_id"):
            kwargs["kms_key_id"] = usable_key(self, key)
        primary = _primary_to_follow(self, kwargs)
        cluster: DBCluster = original(self, kwargs)
        if primary is not None:
            # moto leaves a secondary without its primary's users; on AWS they come with the storage.
            cluster.master_username = primary.master_username
            cluster._master_user_password = getattr(primary, "_master_user_password", "")
            cluster.database_name = primary.database_name
        elif (password := kwargs.get("master_user_password")) and not cluster.manage_master_user_password:
            cluster.master_user_password = password
        return cluster

    return create_db_cluster


def _primary_to_follow(backend: RDSBackend, kwargs: dict[str, Any]) -> DBCluster | None:
    """The writer of the global cluster that a new cluster joins; None where it joins none or is its first.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBCluster.html: GlobalClusterNotFoundFault,
    and no master user for a secondary.
    """
    wanted = kwargs.get("global_cluster_identifier")
    writer = None
    if wanted:
        joined = next((g for g in global_clusters(backend.account_id) if g.resource_id == wanted.lower()), None)
        if joined is None:
            raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {wanted} not found")
        # moto looks the name up as it stands
        kwargs["global_cluster_identifier"] = joined.resource_id
        writer = next((m for m in joined.members if m.is_writer), None)
    given = kwargs.get("master_username") or kwargs.get("master_user_password")
    if writer is not None:
        if given:
            raise InvalidParameterCombination("Cannot specify user name for cross region replication cluster")
    elif password := kwargs.get("master_user_password"):
        if len(password) not in PASSWORD_LENGTH:
            raise InvalidParameterValue(
                "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters."
            )
    elif wanted and not kwargs.get("manage_master_user_password"):
        raise InvalidParameterValue("The parameter MasterUserPassword must be provided and must not be blank.")
    return writer


def usable_key(backend: RDSBackend, key: str) -> str:
    """The ARN of a KMS key that exists here and is enabled; raises KMSKeyNotAccessibleFault."""
    if key.startswith("arn:") and key.split(":")[3] != backend.region_name:
        raise KMSKeyNotAccessibleFault(key)
    if (elsewhere := neighbour("kms", backend.region_name)) is not None:
        return _usable_elsewhere(elsewhere, key)
    kms = backend.kms
    key_id = kms.any_id_to_key_id(key)
    found = kms.keys.get(key_id) if key_id else None
    if found is None:
        if key == "alias/aws/rds":
            return kms.describe_key(key).arn
        raise KMSKeyNotAccessibleFault(key)
    if found.key_state != "Enabled":
        raise KMSKeyNotAccessibleFault(key)
    return found.arn


def _usable_elsewhere(kms: Any, key: str) -> str:
    try:
        found = kms.describe_key(KeyId=key)["KeyMetadata"]
    except ClientError as e:
        raise KMSKeyNotAccessibleFault(key) from e
    if found["KeyState"] != "Enabled":
        raise KMSKeyNotAccessibleFault(key)
    return str(found["Arn"])


def _deleting(original: Any) -> Any:
    def delete_db_cluster(self: RDSBackend, cluster_identifier: str, snapshot_name: str | None = None) -> DBCluster:
        cluster = self.clusters.get(cluster_identifier)
        if cluster is not None and global_cluster_of(cluster) is not None:
            raise InvalidDBClusterStateFault(
                "This cluster is a part of a global cluster, please remove it from globalcluster first"
            )
        deleted: DBCluster = original(self, cluster_identifier, snapshot_name)
        # Automated snapshots go with their cluster; moto keeps them, and a cluster of that name cannot be made again.
        for name, snapshot in list(self.cluster_snapshots.items()):
            if snapshot.snapshot_type == "automated" and snapshot.db_cluster_identifier == deleted.resource_id:
                del self.cluster_snapshots[name]
        return deleted

    return delete_db_cluster


def _observed(cluster: DBCluster) -> dict[str, str]:
    observed: dict[str, str] = cluster.__dict__.setdefault("observed_endpoints", {})
    return observed


def _observed_or(name: str, original: property) -> Any:
    def read(self: DBCluster) -> str:
        found = _observed(self).get(name)
        return found if found is not None else str(original.__get__(self, DBCluster))

    return read


def _instance_address(self: DBInstanceClustered) -> str:
    """The one node of the region stands behind both endpoints; the reader's always leads to it."""
    observed = _observed(self.cluster)
    return (
        observed.get("reader_endpoint") or f"{self.db_instance_identifier}.aaaaaaaaaa.{self.region}.rds.amazonaws.com"
    )
