"""All that an emulated account holds, by looking at every service that a system uses, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra_fixtures.provision.parts import KINDS
from infra_fixtures.targets.emulated_account import REGIONS, EmulatedAccount

LOCK = "failover-drill-lock-"
"""The bucket of the account's lock stays."""
Inventory = frozenset[str]

LISTED: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    ("lambda", "list_functions", "Functions", "FunctionName", {}),
    ("rds", "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier", {}),
    ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier", {}),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", {}),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", {}),
    ("rds", "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier", {}),
    ("secretsmanager", "list_secrets", "SecretList", "Name", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    ("events", "list_rules", "Rules", "Name", {}),
    ("sns", "list_topics", "Topics", "TopicArn", {}),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn", {}),
    ("logs", "describe_log_groups", "logGroups", "logGroupName", {}),
    ("kms", "list_aliases", "Aliases", "AliasName", {}),
    ("apigateway", "get_rest_apis", "items", "id", {}),
    ("apigateway", "get_api_keys", "items", "id", {}),
    ("apigateway", "get_usage_plans", "items", "id", {}),
    ("apigateway", "get_domain_names", "items", "domainName", {}),
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn", {}),
    ("application-autoscaling", "describe_scalable_targets", "ScalableTargets", "ResourceId", {"ServiceNamespace": "lambda"}),
    ("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", "PolicyName", {"ServiceNamespace": "lambda"}),
)  # fmt: skip


def inventory(account: EmulatedAccount) -> Inventory:
    """A word for each thing that is there; keys that wait for their deletion are gone."""
    return frozenset(word for word in _all(account) if LOCK not in word)


def _all(account: EmulatedAccount) -> Iterator[str]:
    for region in REGIONS:
        for service, call, listed, name, given in LISTED:
            found = getattr(account.client(service, region), call)(**given)
            yield from (f"{region} {service} {listed} {one[name]}" for one in found.get(listed, ()))
        ec2, kms, s3 = (account.client(service, region) for service in ("ec2", "kms", "s3"))
        vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
        for call, listed, name in KINDS:
            for one in getattr(ec2, call)()[listed]:
                # moto keeps the ACL that came with a VPC, AWS does not
                lives = listed != "NetworkAcls" or one["VpcId"] in vpcs
                if lives and str(one.get("State", "")).lower() not in ("deleted", "deleting"):
                    yield f"{region} {listed} {one[name]}"
        for key in kms.list_keys()["Keys"]:
            if kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion":
                yield f"{region} key {key['KeyId']}"
        yield from (f"bucket {bucket['Name']}" for bucket in s3.list_buckets()["Buckets"])
    iam, route53 = account.client("iam"), account.client("route53")
    yield from (f"role {role['RoleName']}" for role in iam.list_roles()["Roles"])
    yield from (f"health check {check['Id']}" for check in route53.list_health_checks()["HealthChecks"])
    for zone in route53.list_hosted_zones()["HostedZones"]:
        yield f"zone {zone['Id']}"
        yield from _records(route53, zone["Id"])


def _records(route53: Any, zone: str) -> Iterator[str]:
    for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
        yield f"record {record['Name']} {record['Type']} {record.get('SetIdentifier', '')}"
