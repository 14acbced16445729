"""What may be wrong with a system, each made so by boto3 on real parts, and put back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from drill.wait import wait_until
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.workload import package

GROUP = "preflight"
Breakage = Callable[[Embedded], AbstractContextManager[None]]


def _at(world: Embedded, service: str) -> Any:
    return world.client(service, world.standby)


@contextlib.contextmanager
def older_engine(world: Embedded) -> Iterator[None]:
    """The standby's cluster runs another minor version."""
    own = world.deployed.regions[world.standby].cluster_id
    _at(world, "rds").modify_db_cluster(DBClusterIdentifier=own, EngineVersion="16.4")
    yield
    _at(world, "rds").modify_db_cluster(DBClusterIdentifier=own, EngineVersion="16.6")


def parameter(name: str, value: str) -> Breakage:
    """A cluster parameter is set in the standby."""

    @contextlib.contextmanager
    def broken(world: Embedded) -> Iterator[None]:
        rds, own = _at(world, "rds"), world.deployed.regions[world.standby].cluster_id
        before = rds.describe_db_clusters(DBClusterIdentifier=own)["DBClusters"][0]["DBClusterParameterGroup"]
        group = f"{GROUP}-{name.replace('.', '-').replace('_', '-')}"
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName=group, DBParameterGroupFamily="aurora-postgresql16", Description="a test's"
        )
        set_to = {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "immediate"}
        rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=group, Parameters=[set_to])
        rds.modify_db_cluster(DBClusterIdentifier=own, DBClusterParameterGroupName=group)
        yield
        rds.modify_db_cluster(DBClusterIdentifier=own, DBClusterParameterGroupName=before)

    return broken


@contextlib.contextmanager
def no_alarm(world: Embedded) -> Iterator[None]:
    """An alarm of the standby is deleted."""
    cloudwatch = _at(world, "cloudwatch")
    name = next(n for n in world.deployed.regions[world.standby].alarms if n.endswith("database-lag"))
    told = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    cloudwatch.delete_alarms(AlarmNames=[name])
    yield
    kept = (
        "AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "EvaluationPeriods", "Threshold",
        "ComparisonOperator", "TreatMissingData",
    )  # fmt: skip
    cloudwatch.put_metric_alarm(**{key: told[key] for key in kept})


@contextlib.contextmanager
def unversioned(world: Embedded) -> Iterator[None]:
    """Versioning of the standby's bucket is suspended."""
    s3, bucket = _at(world, "s3"), world.deployed.regions[world.standby].bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    yield
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def replication(change: Callable[[dict[str, Any]], None] | None) -> Breakage:
    """The replication's rule is changed, or the replication taken away."""

    @contextlib.contextmanager
    def broken(world: Embedded) -> Iterator[None]:
        s3, bucket = world.client("s3", world.primary), world.deployed.regions[world.primary].bucket
        before = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
        if change is None:
            s3.delete_bucket_replication(Bucket=bucket)
        else:
            changed = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
            change(changed["Rules"][0])
            s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=changed)
        yield
        s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=before)

    return broken


def _without_time_control(rule: dict[str, Any]) -> None:
    del rule["Destination"]["ReplicationTime"]


def _disabled(rule: dict[str, Any]) -> None:
    rule["Status"] = "Disabled"


@contextlib.contextmanager
def controller_edits_records(world: Embedded) -> Iterator[None]:
    """The controller's role may change records."""
    iam = world.client("iam")
    function = _at(world, "lambda").get_function_configuration(FunctionName=world.deployed.controller_function)
    role = str(function["Role"]).rpartition("/")[2]
    statement = '{"Effect": "Allow", "Action": "route53:ChangeResourceRecordSets", "Resource": "*"}'
    iam.put_role_policy(
        RoleName=role, PolicyName=GROUP, PolicyDocument=f'{{"Version": "2012-10-17", "Statement": {statement}}}'
    )
    yield
    iam.delete_role_policy(RoleName=role, PolicyName=GROUP)


@contextlib.contextmanager
def other_code(world: Embedded) -> Iterator[None]:
    """Other code was deployed to the standby's function."""
    lambda_, name = _at(world, "lambda"), world.deployed.orders_function
    lambda_.update_function_code(FunctionName=name, ZipFile=package.build(package.CANARY))
    yield
    lambda_.update_function_code(FunctionName=name, ZipFile=package.build(package.ORDER_API))


def concurrency(reserved: int) -> Breakage:
    """The standby's function has so much reserved."""

    @contextlib.contextmanager
    def broken(world: Embedded) -> Iterator[None]:
        lambda_, name = _at(world, "lambda"), world.deployed.orders_function
        before = lambda_.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
        yield
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)

    return broken


def health_check(**change: Any) -> Breakage:
    """The health check of the standby is changed; what its checkers say of it is awaited."""

    @contextlib.contextmanager
    def broken(world: Embedded) -> Iterator[None]:
        route53, own = world.client("route53"), world.deployed.regions[world.standby].health_check_id
        before = route53.get_health_check(HealthCheckId=own)["HealthCheck"]["HealthCheckConfig"]
        route53.update_health_check(HealthCheckId=own, **change)
        if "FullyQualifiedDomainName" in change:
            wait_until(lambda: not _well(route53, own), what="the checkers to reach nobody", timeout_s=20)
        yield
        route53.update_health_check(HealthCheckId=own, **{key: before.get(key, False) for key in change})
        wait_until(lambda: _well(route53, own), what="the checkers to reach it again", timeout_s=20)

    return broken


def _well(route53: Any, check: str) -> bool:
    told = route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    return bool(told) and all(each["StatusReport"]["Status"].startswith("Success") for each in told)


@contextlib.contextmanager
def long_ttl(world: Embedded) -> Iterator[None]:
    """The standby's record is a plain one that clients keep for five minutes."""
    route53, zone = world.client("route53"), world.deployed.zone_id
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    before = next(r for r in records if r.get("SetIdentifier") == world.standby)
    plain = {key: before[key] for key in ("Name", "Type", "SetIdentifier", "Failover", "HealthCheckId")}
    _upsert(route53, zone, {**plain, "TTL": 300, "ResourceRecords": [{"Value": "127.0.0.1"}]})
    yield
    _upsert(route53, zone, before)


def _upsert(route53: Any, zone: str, record: Mapping[str, Any]) -> None:
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


@contextlib.contextmanager
def no_replica_of_the_secret(world: Embedded) -> Iterator[None]:
    """The secret is no longer replicated."""
    secrets, arn = world.client("secretsmanager", world.primary), world.deployed.regions[world.primary].secret_arn
    key = world.deployed.regions[world.standby].kms_key_arn
    secrets.remove_regions_from_replication(SecretId=arn, RemoveReplicaRegions=[world.standby])
    yield
    secrets.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": world.standby, "KmsKeyId": key}])


@contextlib.contextmanager
def disabled_key(world: Embedded) -> Iterator[None]:
    """The standby's key is disabled."""
    kms, key = _at(world, "kms"), world.deployed.regions[world.standby].kms_key_id
    kms.disable_key(KeyId=key)
    yield
    kms.enable_key(KeyId=key)


BREAKAGES: Mapping[str, tuple[str, Breakage, str]] = {
    "older engine": ("engine versions", older_engine, "16.4"),
    "rds.global_db_rpo": ("global db rpo", parameter("rds.global_db_rpo", "20"), "rds.global_db_rpo is 20"),
    "another parameter": ("parameter groups", parameter("log_min_duration_statement", "7"), "log_min_duration_statement"),
    "no alarm": ("alarms", no_alarm, "database-lag"),
    "unversioned": ("bucket versioning", unversioned, "suspended"),
    "no replication": ("replication time", replication(None), "not replicated"),
    "no time control": ("replication time", replication(_without_time_control), "no Replication Time Control"),
    "disabled rule": ("replication time", replication(_disabled), "no rule"),
    "controller edits records": ("controller region", controller_edits_records, "route53:ChangeResourceRecordSets"),
    "other code": ("function code", other_code, "code is"),
    "nothing reserved": ("function concurrency", concurrency(0), "is 0"),
    "little reserved": ("function concurrency", concurrency(5), "is 5"),
    "unreached": ("health checks", health_check(FullyQualifiedDomainName="nobody.invalid"), "nobody.invalid"),
    "inverted": ("health checks", health_check(Inverted=True), "inverted"),
    "disabled check": ("health checks", health_check(Disabled=True), "disabled"),
    "long ttl": ("record ttl", long_ttl, "300 s"),
    "no replica of the secret": ("replicated secrets", no_replica_of_the_secret, "not in"),
    "disabled key": ("standby keys", disabled_key, "Disabled"),
}  # fmt: skip
"""By name: the check that finds it, how it is made so, and what is said of it."""
