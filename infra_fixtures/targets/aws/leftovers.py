"""What is left of a system in the account, found by looking and not by provisioning's own words: three ways that do not trust
each other.

By the ledger's ids; by listing every service that the system uses, for names and tags; and by the tagging API, where that
answers. It may tell of what is gone for a while (https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/
API_GetResources.html), so what it alone names is looked for again before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.provision.parts import GONE
from infra_fixtures.provision.parts import KINDS as EC2_KINDS
from infra_fixtures.targets.aws.kinds import BY_OPERATION
from infra_fixtures.targets.aws.ledger import MADE, Line
from infra_fixtures.topology import Topology

Client = Callable[[str, str | None], Any]
NOT_TOLD = frozenset(
    {"NotImplemented", "InternalFailure", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
)


def leftovers(client: Client, topology: Topology, names: Names, ledger: list[Line], zone_id: str) -> list[str]:
    """One sentence for each thing that is still there, and for each place that could not be looked at; none: all is gone."""
    found = {*_of_ledger(client, ledger), *_global(client, topology, names, zone_id)}
    for region in topology.region_names:
        found |= {f"{what} in {region}" for what in _regional(lambda s, r=region: client(s, r), names)}  # type: ignore[misc]
        found |= {f"{what} in {region}" for what in _certificates(client("acm", region), topology)}
        found |= {f"{what} in {region}" for what in _tagged(lambda s, r=region: client(s, r), names)}  # type: ignore[misc]
    return sorted(found)


def rest_of(client: Client, ledger: list[Line]) -> Iterator[tuple[Line, Any]]:
    """What the ledger says was made and is still there, newest first, each with a client of its service."""
    for line in reversed(ledger):
        if line.what != MADE or not line.name:
            continue
        where = client(line.service, None if line.region == "global" else line.region)
        if BY_OPERATION[line.service, line.operation].is_there(where, line.name):
            yield line, where


def _of_ledger(client: Client, ledger: list[Line]) -> Iterator[str]:
    try:
        for line, _ in rest_of(client, ledger):
            yield f"{line.service} {line.name} ({line.operation}) in {line.region}"
    except (ClientError, BotoCoreError) as e:
        yield f"whether all of the ledger is gone could not be asked ({e})"


def _global(client: Client, topology: Topology, names: Names, zone_id: str) -> Iterator[str]:
    iam, route53 = client("iam", None), client("route53", None)
    for page in iam.get_paginator("list_roles").paginate():
        yield from (f"role {r['RoleName']}" for r in page["Roles"] if r["RoleName"].startswith(names.prefix))
    for page in route53.get_paginator("list_hosted_zones").paginate():
        yield from (f"hosted zone {z['Id']}" for z in page["HostedZones"] if names.prefix in z["CallerReference"])
    for page in route53.get_paginator("list_health_checks").paginate():
        for check in page["HealthChecks"]:
            if str(check["CallerReference"]).startswith(f"{names.run_id}/"):
                yield f"health check {check['Id']}"
    if zone_id:
        own = f"{topology.api_name}."
        for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id):
            for record in page["ResourceRecordSets"]:
                if record["Name"] == own or record["Name"].endswith(f".{own}"):
                    yield f"record {record['Name']} {record['Type']} in the zone {zone_id}"
    if topology.cloudfront:
        for page in client("cloudfront", None).get_paginator("list_distributions").paginate():
            for edge in page["DistributionList"].get("Items", ()):
                if names.prefix in edge["Comment"]:
                    yield f"distribution {edge['Id']}"


def _regional(at: Callable[[str], Any], names: Names) -> Iterator[str]:
    for kind, name in _named(at):
        if names.prefix in f"{name}-":
            yield f"{kind} {name}"
    ours = [{"Name": f"tag:{RUN_TAG}", "Values": [names.run_id]}]
    for call, listed, identity in EC2_KINDS:
        for resource in getattr(at("ec2"), call)(Filters=ours)[listed]:
            if resource.get("State") not in GONE:
                yield f"{listed} {resource[identity]}"
    kms = at("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            if _is_ours_and_lives(kms, key["KeyId"], names):
                yield f"KMS key {key['KeyId']}"


def _certificates(acm: Any, topology: Topology) -> Iterator[str]:
    for page in acm.get_paginator("list_certificates").paginate():
        for listed in page["CertificateSummaryList"]:
            if listed["DomainName"] == topology.api_name:
                yield f"certificate {listed['CertificateArn']}"


def _is_ours_and_lives(kms: Any, key: str, names: Names) -> bool:
    try:
        tags = {t["TagKey"]: t["TagValue"] for t in kms.list_resource_tags(KeyId=key)["Tags"]}
    except ClientError as e:
        if e.response["Error"]["Code"] == "AccessDeniedException":
            return False  # others' keys need not let us read their tags; ours do
        raise
    return (
        tags.get(RUN_TAG) == names.run_id
        and kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"
    )


def _named(at: Callable[[str], Any]) -> Iterator[tuple[str, str]]:
    """Every resource with a name of its own, of the services that the system uses."""
    rds, gateway, scaling = at("rds"), at("apigateway"), at("application-autoscaling")
    for kind, client, call, listed, name, more in (
        ("function", at("lambda"), "list_functions", "Functions", "FunctionName", {}),
        ("global cluster", rds, "describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier", {}),
        ("cluster", rds, "describe_db_clusters", "DBClusters", "DBClusterIdentifier", {}),
        ("database instance", rds, "describe_db_instances", "DBInstances", "DBInstanceIdentifier", {}),
        ("subnet group", rds, "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", {}),
        (
            "cluster snapshot", rds, "describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier",
            {},
        ),
        ("secret", at("secretsmanager"), "list_secrets", "SecretList", "Name", {}),
        ("alarm", at("cloudwatch"), "describe_alarms", "MetricAlarms", "AlarmName", {}),
        ("rule", at("events"), "list_rules", "Rules", "Name", {}),
        ("topic", at("sns"), "list_topics", "Topics", "TopicArn", {}),
        ("subscription", at("sns"), "list_subscriptions", "Subscriptions", "TopicArn", {}),
        ("log group", at("logs"), "describe_log_groups", "logGroups", "logGroupName", {}),
        ("key alias", at("kms"), "list_aliases", "Aliases", "AliasName", {}),
        ("API", gateway, "get_rest_apis", "items", "name", {}),
        ("API key", gateway, "get_api_keys", "items", "name", {}),
        ("usage plan", gateway, "get_usage_plans", "items", "name", {}),
        ("domain name", gateway, "get_domain_names", "items", "tags.Name", {}),
        ("scalable target", scaling, "describe_scalable_targets", "ScalableTargets", "ResourceId", LAMBDA),
        ("scaling policy", scaling, "describe_scaling_policies", "ScalingPolicies", "PolicyName", LAMBDA),
    ):  # fmt: skip
        for found in _pages(client, call, listed, more):
            if found.get("SubscriptionArn") != "Deleted":  # SNS shows those for two days more
                yield kind, _field(found, name)
    yield from (("bucket", b["Name"]) for b in at("s3").list_buckets()["Buckets"])


LAMBDA = {"ServiceNamespace": "lambda"}


def _pages(client: Any, call: str, listed: str, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not client.can_paginate(call):
        yield from getattr(client, call)(**given).get(listed, ())
        return
    for page in client.get_paginator(call).paginate(**given):
        yield from page.get(listed, ())


def _field(found: Any, path: str) -> str:
    for part in path.split("."):
        found = (found or {}).get(part)
    return str(found or "")


def _tagged(at: Callable[[str], Any], names: Names) -> Iterator[str]:
    tagging = at("resourcegroupstaggingapi")
    try:
        pages = list(
            tagging.get_paginator("get_resources").paginate(TagFilters=[{"Key": RUN_TAG, "Values": [names.run_id]}])
        )
    except ClientError as e:
        if str(e.response["Error"]["Code"]) in NOT_TOLD:
            return  # the listings above have looked at each service
        raise
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            arn = str(resource["ResourceARN"])
            if ":kms:" not in arn:  # one that waits for its deletion is tagged until then
                yield f"{arn} (as the tagging API says)"
