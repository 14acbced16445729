"""The database layer: an encrypted Aurora global database (primary and secondary cluster) and its user's secret."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drill.wait import wait_until
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.identity import Key
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.network import Network
from infra_fixtures.topology import DATABASE_GROUP, POSTGRES, RegionPlan, Topology

AVAILABLE = "available"
AVAILABLE_WITHIN_S = 2400.0
"""A global database takes AWS some 20 minutes."""
LOOK_EVERY_S = 0.05
NOT_YET = ("InvalidGlobalClusterStateFault", "InvalidDBClusterStateFault", "InvalidDBInstanceState")
"""A database that is still being made, promoted or changed refuses what comes next until that is over."""
BACKUP_DAYS = 1


@dataclass(frozen=True, slots=True)
class Secret:
    """The database user's secret: its ARN by region, and the password, which goes into no record."""

    arns: Mapping[str, str]
    password: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A region's cluster as RDS describes it."""

    id: str
    arn: str
    instance_id: str
    writer: str
    reader: str
    port: int


def secret(primary: Any, topology: Topology, names: Names, keys: Mapping[str, Key]) -> Secret:
    """The secret in the primary and its replica in the standby, each under its region's key."""
    home, replica = topology.region_names
    name = names.of("database")
    existing = ignore_errors("ResourceNotFoundException", primary.get_secret_value, SecretId=name)
    if existing is None:
        password = secrets.token_urlsafe(24)
        made = primary.create_secret(
            Name=name,
            Description=f"database user of drill {names.run_id}",
            KmsKeyId=keys[home].arn,
            SecretString=json.dumps({"username": topology.database_user, "password": password}),
            Tags=names.tag_list("secret"),
            AddReplicaRegions=[{"Region": replica, "KmsKeyId": keys[replica].arn}],
        )
        arn = str(made["ARN"])
    else:
        password, arn = json.loads(existing["SecretString"])["password"], str(existing["ARN"])
    return Secret({home: arn, replica: arn.replace(f":{home}:", f":{replica}:")}, password)


def subnet_group(rds: Any, names: Names, network: Network) -> str:
    """The private subnets as RDS wants them; the group's name."""
    name = names.of("private")
    ignore_errors(
        "DBSubnetGroupAlreadyExists",
        rds.create_db_subnet_group,
        DBSubnetGroupName=name,
        DBSubnetGroupDescription=f"private subnets of drill {names.run_id}",
        SubnetIds=list(network.private),
        Tags=names.tag_list("private"),
    )
    return name


def global_cluster(rds: Any, topology: Topology, names: Names) -> None:
    """The global cluster, empty; it is asked for in the primary's region."""
    ignore_errors(
        "GlobalClusterAlreadyExistsFault",
        rds.create_global_cluster,
        GlobalClusterIdentifier=names.global_cluster,
        Engine=topology.engine,
        EngineVersion=topology.engine_version,
        StorageEncrypted=True,
    )


def cluster(
    rds: Any, topology: Topology, plan: RegionPlan, names: Names, *, network: Network, own: Key, password: str | None
) -> None:
    """A region's cluster and its instance: the global cluster's primary where a password is given, else a secondary.

    A secondary can be added once the primary is available
    (https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-attaching.html).
    """
    group = subnet_group(rds, names, network)
    owner: dict[str, Any] = {}
    if password is not None:
        owner = {
            "MasterUsername": topology.database_user,
            "MasterUserPassword": password,
            "DatabaseName": topology.database,
        }
    retry_while(
        NOT_YET,
        lambda **settings: ignore_errors("DBClusterAlreadyExistsFault", rds.create_db_cluster, **settings),
        what=f"the global cluster to take the cluster of {plan.name}",
        timeout_s=AVAILABLE_WITHIN_S,
        DBClusterIdentifier=names.cluster(plan.name),
        GlobalClusterIdentifier=names.global_cluster,
        Engine=topology.engine,
        EngineVersion=topology.engine_version,
        StorageEncrypted=True,
        KmsKeyId=own.arn,
        Port=POSTGRES,
        DBSubnetGroupName=group,
        VpcSecurityGroupIds=[network.groups[DATABASE_GROUP]],
        BackupRetentionPeriod=BACKUP_DAYS,
        Tags=names.tag_list(f"cluster-{plan.name}"),
        **owner,
    )
    ignore_errors(
        "DBInstanceAlreadyExists",
        rds.create_db_instance,
        DBInstanceIdentifier=names.instance(plan.name),
        DBClusterIdentifier=names.cluster(plan.name),
        DBInstanceClass=plan.capacity.instance_class,
        Engine=topology.engine,
        Tags=names.tag_list(f"instance-{plan.name}"),
    )


def await_cluster(
    rds: Any, names: Names, region: str, is_final: Callable[[str], bool], look_every_s: float = LOOK_EVERY_S
) -> Cluster:
    """The cluster once it and its instance are available and its endpoints are those that will last; raises WaitTimeout.

    AWS lets a client ask only so often, and all of an account's clients together: every some seconds is enough there.
    """

    def ready() -> dict[str, Any] | None:
        found = rds.describe_db_clusters(DBClusterIdentifier=names.cluster(region))["DBClusters"][0]
        ends = (found.get("Endpoint"), found.get("ReaderEndpoint"))
        return found if found["Status"] == AVAILABLE and all(e and is_final(e) for e in ends) else None

    def serves() -> bool:
        found = rds.describe_db_instances(DBInstanceIdentifier=names.instance(region))["DBInstances"][0]
        return bool(found["DBInstanceStatus"] == AVAILABLE)

    found = wait_until(
        ready, what=f"the cluster of {region} to be available", timeout_s=AVAILABLE_WITHIN_S, every_s=look_every_s
    )
    wait_until(
        serves, what=f"the instance of {region} to be available", timeout_s=AVAILABLE_WITHIN_S, every_s=look_every_s
    )
    assert found is not None
    return Cluster(
        id=found["DBClusterIdentifier"],
        arn=found["DBClusterArn"],
        instance_id=names.instance(region),
        writer=found["Endpoint"],
        reader=found["ReaderEndpoint"],
        port=int(found["Port"]),
    )
