"""All that a LocalStack holds which a run could change, as its own describe and list calls tell it: two looks compare field
by field.

Left out: moments (as `LastModified`), the bucket of the target's lock, which stays, and the ids of network ACL associations
and of security group rules, which are new whenever one is put back, as on AWS. What AWS too still tells of what is gone counts
as gone: a KMS key that waits for its deletion, an endpoint described as deleted. So does what LocalStack 4.14 never forgets and
no call takes away: an association of a subnet that is no more, and the default ACL of a VPC that is no more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra_fixtures.provision.parts import GONE
from infra_fixtures.targets.clients import CONFIG

REGIONS = ("us-east-1", "us-west-2")
LOCK_BUCKETS = "failover-drill-lock-"
MOMENTS = frozenset({"creationTime", "CreateDate", "CreationDate", "storedBytes", "RoleLastUsed"})
RENAMED = frozenset({"NetworkAclAssociationId", "SecurityGroupRuleId", "SecurityGroupRuleArn"})

State = Mapping[str, Any]
"""By where it is: region, service, resource, and then the way down to one field."""
At = Callable[[str, str], Any]

EC2 = (
    ("describe_vpcs", "Vpcs", "VpcId"),
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("describe_egress_only_internet_gateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("describe_addresses", "Addresses", "AllocationId"),
    ("describe_dhcp_options", "DhcpOptions", "DhcpOptionsId"),
)
BUCKET = (
    "get_bucket_policy",
    "get_bucket_replication",
    "get_bucket_versioning",
    "get_bucket_encryption",
    "get_bucket_tagging",
    "get_public_access_block",
    "get_bucket_notification_configuration",
    "get_bucket_lifecycle_configuration",
    "get_bucket_acl",
)
NOT_SET = frozenset(
    {
        "NoSuchBucketPolicy",
        "ReplicationConfigurationNotFoundError",
        "NoSuchTagSet",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchLifecycleConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


def client(url: str, service: str, region: str) -> Any:
    """A client of whoever runs that LocalStack."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=CONFIG,
    )


def state(url: str) -> State:
    """Everything there is now."""
    made: dict[tuple[str, str], Any] = {}

    def at(service: str, region: str) -> Any:
        if (service, region) not in made:
            made[service, region] = client(url, service, region)
        return made[service, region]

    found: dict[str, Any] = {}
    for region in REGIONS:
        for look in (_network, _acls, _buckets, _keys, _topics, _logs, _apis, _account):
            for where, what in look(at, region):
                _flatten(found, f"{region} {where}", what)
    for where, what in _roles(at):
        _flatten(found, where, what)
    for one in made.values():
        one.close()
    return found


def differences(before: State, after: State) -> list[str]:
    """Each field that is not as it was."""
    nothing = object()
    return [
        f"{where}: {'was not there' if was is nothing else repr(was)} -> {'gone' if now is nothing else repr(now)}"
        for where in sorted(before.keys() | after.keys())
        if (was := before.get(where, nothing)) != (now := after.get(where, nothing))
    ]


Found = Iterator[tuple[str, Any]]


def _network(at: At, region: str) -> Found:
    for operation, listed, identity in EC2:
        for resource in _pages(at("ec2", region), operation, listed):
            yield f"ec2 {resource[identity]}", resource
    rules: dict[str, list[Any]] = {}
    for rule in _pages(at("ec2", region), "describe_security_group_rules", "SecurityGroupRules"):
        rules.setdefault(rule["GroupId"], []).append(rule)
    for group, of_group in rules.items():
        yield f"ec2 {group} rules", of_group
    for endpoint in _pages(at("ec2", region), "describe_vpc_endpoints", "VpcEndpoints"):
        if endpoint["State"] not in GONE:
            yield f"ec2 {endpoint['VpcEndpointId']}", endpoint


def _acls(at: At, region: str) -> Found:
    ec2 = at("ec2", region)
    vpcs = {v["VpcId"] for v in _pages(ec2, "describe_vpcs", "Vpcs")}
    subnets = {s["SubnetId"] for s in _pages(ec2, "describe_subnets", "Subnets")}
    for acl in _pages(ec2, "describe_network_acls", "NetworkAcls"):
        if acl["VpcId"] in vpcs:
            live = [a for a in acl["Associations"] if a["SubnetId"] in subnets]
            yield f"ec2 {acl['NetworkAclId']}", {**acl, "Associations": live}


def _buckets(at: At, region: str) -> Found:
    s3 = at("s3", region)
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        where = s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1"
        if where != region or name.startswith(LOCK_BUCKETS):
            continue
        yield f"s3 {name}", {"exists": True}
        for operation in BUCKET:
            yield f"s3 {name} {operation}", _unless(NOT_SET, getattr(s3, operation), Bucket=name)
        versions = s3.list_object_versions(Bucket=name)
        for version in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
            yield f"s3 {name} {version['Key']} {version['VersionId']}", version


def _keys(at: At, region: str) -> Found:
    kms = at("kms", region)
    for alias in _pages(kms, "list_aliases", "Aliases"):
        yield f"kms {alias['AliasName']}", alias
    for key in (k["KeyId"] for k in _pages(kms, "list_keys", "Keys")):
        told = kms.describe_key(KeyId=key)["KeyMetadata"]
        if told["KeyState"] != "PendingDeletion":
            yield f"kms {key}", told
            yield f"kms {key} policy", kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
            yield f"kms {key} tags", kms.list_resource_tags(KeyId=key)["Tags"]
            yield f"kms {key} grants", kms.list_grants(KeyId=key)["Grants"]


def _topics(at: At, region: str) -> Found:
    sns = at("sns", region)
    for arn in (t["TopicArn"] for t in _pages(sns, "list_topics", "Topics")):
        yield f"sns {arn}", sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    for subscription in _pages(sns, "list_subscriptions", "Subscriptions"):
        yield f"sns {subscription['SubscriptionArn']}", subscription


def _logs(at: At, region: str) -> Found:
    for group in _pages(at("logs", region), "describe_log_groups", "logGroups"):
        yield f"logs {group['logGroupName']}", group


def _apis(at: At, region: str) -> Found:
    apigateway = at("apigateway", region)
    for listing, identity in (
        ("get_rest_apis", "id"),
        ("get_api_keys", "id"),
        ("get_usage_plans", "id"),
        ("get_domain_names", "domainName"),
    ):
        for item in _pages(apigateway, listing, "items"):
            yield f"apigateway {item[identity]}", item
            if listing == "get_rest_apis":
                api = {"restApiId": item["id"]}
                yield f"apigateway {item['id']} resources", apigateway.get_resources(**api, embed=["methods"])["items"]
                yield f"apigateway {item['id']} stages", apigateway.get_stages(**api)["item"]


def _account(at: At, region: str) -> Found:
    answer = at("sts", region).get_caller_identity()
    yield "sts", {"Account": answer["Account"], "Arn": answer["Arn"]}


def _roles(at: At) -> Found:
    iam = at("iam", REGIONS[0])
    for role in _pages(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        yield f"iam {name}", iam.get_role(RoleName=name)["Role"]
        yield f"iam {name} attached", iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield f"iam {name} {policy}", iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    for listing, listed, identity in (
        ("list_policies", "Policies", "Arn"),
        ("list_users", "Users", "UserName"),
        ("list_groups", "Groups", "GroupName"),
        ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ):
        own = {"Scope": "Local"} if listing == "list_policies" else {}
        for item in _pages(iam, listing, listed, **own):
            yield f"iam {item[identity]}", item


def _pages(aws: Any, operation: str, listed: str, **parameters: Any) -> Iterator[Any]:
    """All that a listing tells, over all its pages."""
    if not aws.can_paginate(operation):
        yield from getattr(aws, operation)(**parameters)[listed]
        return
    for page in aws.get_paginator(operation).paginate(**parameters):
        yield from page.get(listed, ())


def _unless(codes: frozenset[str], call: Callable[..., Any], **parameters: Any) -> Any:
    try:
        answer = call(**parameters)
    except ClientError as e:
        if e.response["Error"]["Code"] not in codes:
            raise
        return None
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def _flatten(found: dict[str, Any], where: str, what: Any) -> None:
    """One entry for each field; the members of a list are told apart by what they are, not by where they stand in it."""
    if isinstance(what, Mapping):
        for name, value in what.items():
            if name not in MOMENTS | RENAMED:
                _flatten(found, f"{where} {name}", value)
    elif isinstance(what, list):
        found[where] = sorted(repr(_settled(one)) for one in what)
    elif not isinstance(what, dt.datetime):
        found[where] = what


def _settled(what: Any) -> Any:
    """Without moments and renamed ids, in one order."""
    if isinstance(what, Mapping):
        return {k: _settled(v) for k, v in sorted(what.items()) if k not in MOMENTS | RENAMED and not _is_moment(v)}
    return sorted((_settled(one) for one in what), key=repr) if isinstance(what, list) else what


def _is_moment(value: Any) -> bool:
    return isinstance(value, dt.datetime)
