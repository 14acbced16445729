"""Which resources a call names, by the kinds of AWS's Service Authorization Reference, from its parameters alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra_fixtures.permissions.calls import Call
from infra_fixtures.permissions.known import Known, Tags, tags_given
from infra_fixtures.permissions.reference import reference

PATH = "apigateway:path"
"""API Gateway's resources are the paths of its own API
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-control-access-using-iam-policies-to-create-and-manage-apis.html)."""
PATH_ARN = "arn:${Partition}:apigateway:${Region}::${Path}"
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_EC2_ID = re.compile(r"([a-z]+)-[0-9a-f]{8}(?:[0-9a-f]{9})?")
_LAMBDA = re.compile(r"(?:arn:[^:]*:lambda:[^:]*:\d+:function:)?(?P<name>[^:]+)(?::(?P<alias>[^:]+))?")

EC2_KINDS: Mapping[str, str] = {
    "vpc": "vpc", "subnet": "subnet", "acl": "network-acl", "sg": "security-group", "rtb": "route-table",
    "igw": "internet-gateway", "vpce": "vpc-endpoint",
}  # fmt: skip
"""By what an id begins with."""

NAMED: Mapping[str, Mapping[str, str]] = {
    "acm": {"CertificateArn": "certificate"},
    "cloudfront": {"Id": "distribution"},
    "cloudwatch": {"AlarmName": "alarm", "AlarmNames": "alarm"},
    "events": {"Name": "rule-on-default-event-bus", "Rule": "rule-on-default-event-bus"},
    "iam": {"RoleName": "role", "PolicySourceArn": "role"},
    "lambda": {"FunctionName": "function"},
    "logs": {"logGroupName": "log-group"},
    "rds": {
        "DBClusterIdentifier": "cluster",
        "DbClusterIdentifier": "cluster",
        "TargetDbClusterIdentifier": "cluster",
        "GlobalClusterIdentifier": "global-cluster",
        "DBInstanceIdentifier": "db",
        "DBSubnetGroupName": "subgrp",
        "DBClusterParameterGroupName": "cluster-pg",
        "DBParameterGroupName": "pg",
    },
    "route53": {"HostedZoneId": "hostedzone", "HealthCheckId": "healthcheck"},
    "s3": {"Bucket": "bucket"},
    "secretsmanager": {"SecretId": "Secret"},
    "sns": {"TopicArn": "topic", "SubscriptionArn": "topic"},
}
"""By service: the parameters that name a resource, and of which kind."""

BY_OPERATION: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("route53", "DeleteHostedZone"): {"Id": "hostedzone"},
    ("secretsmanager", "CreateSecret"): {"Name": "Secret"},
    ("sns", "CreateTopic"): {"Name": "topic"},
    ("iam", "GetPolicy"): {"PolicyArn": "policy"},
    ("iam", "GetPolicyVersion"): {"PolicyArn": "policy"},
}
"""Where the same parameter means something else elsewhere."""


@dataclass(frozen=True, slots=True)
class Named:
    """A resource that a call names: its kind, its ARN, its tags as far as they are known, and whether the call makes it."""

    kind: str
    arn: str
    tags: Tags
    new: bool = False


def arn_of(kind: str, region: str, account: str, *values: str) -> str:
    """The ARN of a kind: its last placeholders are filled with `values`, in their order, and with `*`."""
    template = PATH_ARN if kind == PATH else reference().kinds[kind].arn
    known = {"Partition": "aws", "Region": region, "Account": account}
    rest = itertools.chain(values, itertools.repeat("*"))
    return _PLACEHOLDER.sub(lambda found: known[found[1]] if found[1] in known else next(rest), template)


def named(call: Call, account: str, known: Known) -> Iterator[Named]:
    """Every resource that the call names."""
    if call.service == "apigateway":
        return
    if call.service == "ec2":
        yield from _of_ec2(call, account, known)
        return
    if call.service == "kms":
        yield from _of_kms(call, account, known)
        return
    table = BY_OPERATION.get((call.service, call.operation)) or NAMED.get(call.service, {})
    for parameter, kind in table.items():
        for value in _words(call.parameters.get(parameter)):
            yield _named(call, account, f"{call.service}:{kind}", value, known)
    yield from _besides(call, account, known)


def path_of(call: Call, method_path: str) -> str:
    """An operation's path of API Gateway, its parameters filled in from the call's."""
    plain = {re.sub(r"[^a-z]", "", name.lower()): str(value) for name, value in call.parameters.items()}
    return re.sub(r"\{(\w+)\+?\}", lambda found: plain.get(found[1].replace("_", "").lower(), "*"), method_path)


def _named(call: Call, account: str, kind: str, value: str, known: Known) -> Named:
    identity = value.rpartition("/")[2] if kind.startswith(("route53:", "cloudfront:")) else value
    values: tuple[str, ...] = (identity,)
    if kind == "lambda:function":
        parts = _LAMBDA.fullmatch(value)
        assert parts is not None
        alias = call.parameters.get("Qualifier") or parts["alias"]
        values = (f"{parts['name']}:{alias}" if alias else parts["name"],)
    elif kind == "sns:topic" and value.startswith("arn:"):
        values = (value.split(":")[5],)
    elif value.startswith("arn:"):
        return Named(kind, value, known.tags(value))
    return Named(kind, arn_of(kind, call.region, account, *values), known.tags(identity))


def _besides(call: Call, account: str, known: Known) -> Iterator[Named]:
    """What is not named by one parameter alone."""
    given = call.parameters
    if call.service == "s3" and "Key" in given:
        yield Named("s3:object", arn_of("s3:object", call.region, account, given["Bucket"], given["Key"]), {})
    elif call.operation == "DeleteObjects":
        yield Named("s3:object", arn_of("s3:object", call.region, account, given["Bucket"], "*"), {})
    elif (call.service, call.operation) == ("cloudwatch", "DescribeAlarms") and "AlarmNames" not in given:
        prefix = str(given.get("AlarmNamePrefix", ""))
        yield _named(call, account, "cloudwatch:alarm", f"{prefix}*", known)
    elif call.service == "route53" and "ResourceType" in given:
        kind = f"route53:{given['ResourceType']}"
        yield Named(kind, arn_of(kind, call.region, account, str(given["ResourceId"]).rpartition("/")[2]), {})
    elif call.operation == "RequestCertificate":
        yield Named("acm:certificate", arn_of("acm:certificate", call.region, account, "*"), tags_given(call), new=True)
    elif call.service == "application-autoscaling":
        kind = "application-autoscaling:ScalableTarget"
        yield Named(kind, arn_of(kind, call.region, account, "*"), {})


def _of_kms(call: Call, account: str, known: Known) -> Iterator[Named]:
    """A call that names a key by its alias is allowed on the key; what CreateAlias and DeleteAlias name is both
    (https://docs.aws.amazon.com/kms/latest/developerguide/alias-access.html)."""
    given = call.parameters
    alias = str(given.get("AliasName", ""))
    if alias:
        name = alias.removeprefix("alias/")
        yield Named("kms:alias", arn_of("kms:alias", call.region, account, name), {})
    key = given.get("KeyId") or given.get("TargetKeyId") or alias
    if key:
        identity = known.key_id(call.region, str(key))
        yield Named("kms:key", arn_of("kms:key", call.region, account, identity), known.tags(identity))


def _of_ec2(call: Call, account: str, known: Known) -> Iterator[Named]:
    def each(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield from known.bound_by(value) or (value,)
        elif isinstance(value, list | tuple):
            for one in value:
                yield from each(one)

    for specified in call.parameters.get("TagSpecifications", ()):
        kind = f"ec2:{specified['ResourceType']}"
        tags = {t["Key"]: t["Value"] for t in specified["Tags"]}
        yield Named(kind, arn_of(kind, call.region, account, "*"), tags, new=True)
    if call.operation.startswith("Describe"):
        return
    for value in call.parameters.values():
        for identity in each(value):
            found = _EC2_ID.fullmatch(identity)
            if found and found[1] in EC2_KINDS:
                kind = f"ec2:{EC2_KINDS[found[1]]}"
                yield Named(kind, arn_of(kind, call.region, account, identity), known.tags(identity))


def _words(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list | tuple):
        yield from (each for each in given if isinstance(each, str))
