"""What AWS asks for besides an operation's own action: roles that are passed, keys that are used, tags that are given.

The pages are named at each; the reference lists some of them as dependent actions, and knows nothing of the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra_fixtures.permissions.arns import PATH, Named, arn_of
from infra_fixtures.permissions.calls import Call, Context
from infra_fixtures.permissions.known import Known, tags_given

TAGGING: Mapping[str, str] = {
    "acm": "acm:AddTagsToCertificate",
    "cloudwatch": "cloudwatch:TagResource",
    "ec2": "ec2:CreateTags",
    "events": "events:TagResource",
    "iam": "iam:TagRole",
    "kms": "kms:TagResource",
    "lambda": "lambda:TagResource",
    "logs": "logs:TagResource",
    "rds": "rds:AddTagsToResource",
    "secretsmanager": "secretsmanager:TagResource",
    "sns": "sns:TagResource",
}
"""What tags given while a resource is made are asked for
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html and the API page of each operation)."""

LINKED_ROLES: Mapping[tuple[str, str], str] = {
    ("apigateway", "CreateDomainName"): "ops.apigateway.amazonaws.com",
    ("application-autoscaling", "RegisterScalableTarget"): "lambda.application-autoscaling.amazonaws.com",
    ("rds", "CreateDBCluster"): "rds.amazonaws.com",
}
"""Service-linked roles that the first call in an account makes
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html)."""


@dataclass(frozen=True, slots=True)
class Besides:
    """An action that is asked for besides, on which resources."""

    action: str
    resources: list[Named]
    context: Context = field(default_factory=dict)


def besides(call: Call, account: str, known: Known, resources: list[Named]) -> Iterator[Besides]:
    """Everything that the call asks for besides its own action."""
    if tags_given(call):
        yield from _tagging(call, account, resources)
    if service := LINKED_ROLES.get((call.service, call.operation)):
        yield _linked_role(account, service)
    passing = {"lambda": call.parameters.get("Role"), "s3": _replication_role(call)}.get(call.service)
    if passing:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
        context = {"iam:PassedToService": (f"{call.service}.amazonaws.com",)}
        yield Besides("iam:PassRole", [Named("iam:role", str(passing), {})], context)
    yield from _by_service(call, account, known)


def _tagging(call: Call, account: str, resources: list[Named]) -> Iterator[Besides]:
    if call.service == "apigateway":
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging.html
        yield Besides("apigateway:PUT", [Named(PATH, arn_of(PATH, call.region, account, "/tags/*"), {})])
        return
    if call.service not in TAGGING or call.operation in ("CreateTags", "AddTagsToResource"):
        return
    action, context, made = TAGGING[call.service], {}, resources
    if call.service == "ec2":
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
        context, made = {"ec2:CreateAction": (call.operation,)}, [each for each in resources if each.new]
    elif call.service == "kms":
        made = [Named("kms:key", arn_of("kms:key", call.region, account, "*"), {}, new=True)]
    elif call.service == "rds":
        own = {"CreateDBCluster": "rds:cluster", "CreateDBInstance": "rds:db", "CreateDBSubnetGroup": "rds:subgrp"}
        made = [each for each in resources if each.kind == own.get(call.operation)]
    yield Besides(action, made, context)


def _linked_role(account: str, service: str) -> Besides:
    arn = arn_of("iam:role", "", account, f"aws-service-role/{service}/AWSServiceRole")
    return Besides("iam:CreateServiceLinkedRole", [Named("iam:role", arn, {})], {"iam:AWSServiceName": (service,)})


def _replication_role(call: Call) -> str:
    return str(call.parameters.get("ReplicationConfiguration", {}).get("Role", ""))


def _by_service(call: Call, account: str, known: Known) -> Iterator[Besides]:
    given, anything = call.parameters, [Named("", "*", {})]
    match call.service, call.operation:
        case "lambda", "CreateFunction" | "UpdateFunctionConfiguration" if given.get("VpcConfig"):
            # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
            for what in ("SecurityGroups", "Subnets", "Vpcs"):
                yield Besides(f"ec2:Describe{what}", anything)
        case "ec2", "CreateVpcEndpoint":
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
            for what in ("SecurityGroups", "Subnets", "Vpcs"):
                yield Besides(f"ec2:Describe{what}", anything)
            if given.get("PrivateDnsEnabled"):
                yield Besides("route53:AssociateVPCWithHostedZone", anything)
        case "rds", "CreateDBCluster":
            # https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Overview.Encryption.Keys.html
            key, region = str(given["KmsKeyId"]), call.region
            yield _key_use("kms:CreateGrant", key, region, account, known, {"kms:GrantIsForAWSResource": ("true",)})
            for action in ("kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKey"):
                yield _key_use(action, key, region, account, known)
        case "secretsmanager", "CreateSecret":
            yield from _secret(call, account, known)
        case "secretsmanager", "GetSecretValue":
            # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
            if key := known.key_of_secret(str(given["SecretId"]), call.region):
                yield _key_use("kms:Decrypt", key, call.region, account, known)
        case "application-autoscaling", "PutScalingPolicy" | "DeleteScalingPolicy":
            yield from _scaling(call, account)


def _secret(call: Call, account: str, known: Known) -> Iterator[Besides]:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html, API_ReplicateSecretToRegions.html"""
    given = call.parameters
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        yield _key_use(action, str(given["KmsKeyId"]), call.region, account, known)
    secret = arn_of("secretsmanager:Secret", call.region, account, str(given["Name"]))
    for replica in given.get("AddReplicaRegions", ()):
        yield Besides("secretsmanager:ReplicateSecretToRegions", [Named("secretsmanager:Secret", secret, {})])
        for action in ("kms:GenerateDataKey", "kms:Encrypt"):
            yield _key_use(action, str(replica["KmsKeyId"]), str(replica["Region"]), account, known)


def _scaling(call: Call, account: str) -> Iterator[Besides]:
    """Application Auto Scaling wants the caller to be allowed what it does to the target and to its alarms
    (https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html)."""
    target = str(call.parameters["ResourceId"])
    function = [Named("lambda:function", arn_of("lambda:function", call.region, account, target.partition(":")[2]), {})]
    alarm = [
        Named("cloudwatch:alarm", arn_of("cloudwatch:alarm", call.region, account, f"TargetTracking-{target}-"), {})
    ]
    ways = ("Put", "Get") if call.operation == "PutScalingPolicy" else ("Delete",)
    for way in ways:
        yield Besides(f"lambda:{way}ProvisionedConcurrencyConfig", _alias(function))
    yield Besides("cloudwatch:DescribeAlarms", alarm)
    yield Besides("cloudwatch:PutMetricAlarm" if "Put" in ways else "cloudwatch:DeleteAlarms", alarm)


def _alias(function: list[Named]) -> list[Named]:
    return [Named("lambda:function alias", each.arn, each.tags) for each in function]


def _key_use(action: str, key: str, region: str, account: str, known: Known, context: Context | None = None) -> Besides:
    identity = known.key_id(region, key)
    resource = Named("kms:key", arn_of("kms:key", region, account, identity), known.tags(identity))
    return Besides(action, [resource], context or {})
