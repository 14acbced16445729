"""Everything that the AWS API holds of a run, found by looking at all there is, not by provisioning's own words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra_fixtures.provision import Clients
from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.provision.parts import GONE, KINDS

REGIONS = ("us-east-1", "us-west-2")


def everything(clients: Clients, run_id: str) -> set[str]:
    """One word for each resource whose name or tag is the run's.

    What AWS itself says is gone does not count: keys that wait for their deletion, endpoints described as deleted.
    """
    names = Names(run_id)
    found: set[str] = set()
    for region in REGIONS:

        def at(service: str, region: str = region) -> Any:
            return clients.client(service, region)

        for kind, name in _regional(at, names):
            if names.prefix in f"{name}-":
                found.add(f"{region} {kind} {name}")
        ours = [{"Name": f"tag:{RUN_TAG}", "Values": [run_id]}]
        for call, listed, identity in KINDS:
            described = getattr(at("ec2"), call)(Filters=ours)[listed]
            found |= {f"{region} {listed} {r[identity]}" for r in described if r.get("State") not in GONE}
        for key in at("kms").list_keys()["Keys"]:
            tags = {t["TagKey"]: t["TagValue"] for t in at("kms").list_resource_tags(KeyId=key["KeyId"])["Tags"]}
            state = at("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"]
            if tags.get(RUN_TAG) == run_id and state != "PendingDeletion":
                found.add(f"{region} kms {key['KeyId']}")
    iam, route53 = clients.client("iam", None), clients.client("route53", None)
    found |= {f"role {r['RoleName']}" for r in iam.list_roles()["Roles"] if names.prefix in r["RoleName"]}
    for zone in route53.list_hosted_zones()["HostedZones"]:
        if names.prefix in zone["CallerReference"]:
            records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            found |= {f"record {r['Name']} {r['Type']} {r.get('SetIdentifier')}" for r in records} | {
                "zone " + zone["Id"]
            }
    for check in route53.list_health_checks()["HealthChecks"]:
        if check["CallerReference"].startswith(f"{run_id}/"):
            found.add(f"health check {check['Id']}")
    distributions = clients.client("cloudfront", None).list_distributions()["DistributionList"].get("Items", [])
    return found | {f"distribution {d['Id']}" for d in distributions if names.prefix in d["Comment"]}


def _regional(at: Any, names: Names) -> Iterator[tuple[str, str]]:
    for function in at("lambda").list_functions()["Functions"]:
        yield "function", function["FunctionName"]
    targets = at("application-autoscaling").describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    policies = at("application-autoscaling").describe_scaling_policies(ServiceNamespace="lambda")["ScalingPolicies"]
    yield from (("target", t["ResourceId"]) for t in targets)
    yield from (("policy", p["PolicyName"]) for p in policies)
    rds = at("rds")
    yield from (("global", g["GlobalClusterIdentifier"]) for g in rds.describe_global_clusters()["GlobalClusters"])
    yield from (("cluster", c["DBClusterIdentifier"]) for c in rds.describe_db_clusters()["DBClusters"])
    yield from (("instance", i["DBInstanceIdentifier"]) for i in rds.describe_db_instances()["DBInstances"])
    yield from (("subnet group", g["DBSubnetGroupName"]) for g in rds.describe_db_subnet_groups()["DBSubnetGroups"])
    yield from (
        ("snapshot", s["DBClusterSnapshotIdentifier"])
        for s in rds.describe_db_cluster_snapshots()["DBClusterSnapshots"]
    )
    yield from (("secret", s["Name"]) for s in at("secretsmanager").list_secrets()["SecretList"])
    yield from (("bucket", b["Name"]) for b in at("s3").list_buckets()["Buckets"])
    yield from (("alarm", a["AlarmName"]) for a in at("cloudwatch").describe_alarms()["MetricAlarms"])
    yield from (("rule", r["Name"]) for r in at("events").list_rules()["Rules"])
    yield from (("topic", t["TopicArn"]) for t in at("sns").list_topics()["Topics"])
    yield from (("subscription", s["TopicArn"]) for s in at("sns").list_subscriptions()["Subscriptions"])
    yield from (("log group", g["logGroupName"]) for g in at("logs").describe_log_groups()["logGroups"])
    yield from (("alias", a["AliasName"]) for a in at("kms").list_aliases()["Aliases"])
    gateway = at("apigateway")
    yield from (("api", a["name"]) for a in gateway.get_rest_apis()["items"])
    yield from (("key", k["name"]) for k in gateway.get_api_keys()["items"])
    yield from (("plan", p["name"]) for p in gateway.get_usage_plans()["items"])
    for domain in gateway.get_domain_names()["items"]:
        yield "domain", str((domain.get("tags") or {}).get("Name"))
