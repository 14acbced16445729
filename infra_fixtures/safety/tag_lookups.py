"""How the tags of a resource are read: one function a kind; the table at the end says which parameter of which service
names one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Tags = Mapping[str, str]
Clients = Callable[[str, str | None], Any]
"""A boto3 client for a service and a region; None for a service that has none."""

_LAMBDA = re.compile(r"(?:(?:arn:[^:]*:lambda:[^:]*:)?(?P<account>\d{12}):)?(?:function:)?(?P<name>[^:]+)(?::[^:]+)?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: clients for looking further, and the region and account that make a name an ARN."""

    client: Clients
    region: str | None
    account: str

    def ask(self, service: str) -> Any:
        """The service's client in the region of the call."""
        return self.client(service, self.region)

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """The ARN of a resource there."""
        return f"arn:aws:{service}:{(self.region or '') if region is None else region}:{self.account}:{resource}"


Lookup = Callable[[Place, str], Tags]
"""The tags of the resource of that name; raises ClientError where it is not there."""


def pairs_of(given: Any) -> Iterator[tuple[str, str]]:
    """Tags in whichever of AWS's spellings."""
    if isinstance(given, Mapping):
        for key, value in (("Key", "Value"), ("key", "value"), ("TagKey", "TagValue")):
            if key in given:
                yield str(given[key]), str(given.get(value, ""))
                return
        for name, value in given.items():
            if isinstance(value, str):
                yield name, value
            else:
                yield from pairs_of(value)
    elif isinstance(given, list | tuple):
        for each in given:
            yield from pairs_of(each)


def _mapping(pairs: Any) -> Tags:
    return dict(pairs_of(pairs))


def by_arn(place: Place, arn: str) -> Tags:
    """https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html"""
    found = place.ask("resourcegroupstaggingapi").get_resources(ResourceARNList=[arn])["ResourceTagMappingList"]
    return _mapping(found[0]["Tags"]) if found else {}


def _function(place: Place, name: str) -> Tags:
    named = _LAMBDA.fullmatch(name)
    if named is None or named["account"] not in (None, place.account):
        return {}
    arn = place.arn("lambda", f"function:{named['name']}")
    return dict(place.ask("lambda").list_tags(Resource=arn)["Tags"])


def _scaled(place: Place, resource: str) -> Tags:
    """Application Auto Scaling's ResourceId: function:NAME:ALIAS or cluster:NAME."""
    kind, _, name = resource.partition(":")
    return {"function": _function, "cluster": _rds("cluster")}.get(kind, _nothing)(place, name)


def _nothing(_place: Place, _name: str) -> Tags:
    return {}


def _bucket(place: Place, name: str) -> Tags:
    try:
        return _mapping(place.ask("s3").get_bucket_tagging(Bucket=name)["TagSet"])
    except ClientError as e:
        if e.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


def _rds(kind: str) -> Lookup:
    def tags(place: Place, name: str) -> Tags:
        """Global clusters belong to no region; their ARNs have none."""
        region = "" if kind == "global-cluster" else None
        arn = name if name.startswith("arn:") else place.arn("rds", f"{kind}:{name}", region=region)
        return _mapping(place.ask("rds").list_tags_for_resource(ResourceName=arn)["TagList"])

    return tags


def _key(place: Place, name: str) -> Tags:
    kms = place.ask("kms")
    known = kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"]  # tags are not listed by alias
    return _mapping(kms.list_resource_tags(KeyId=known)["Tags"])


def _alarm(place: Place, name: str) -> Tags:
    return _mapping(
        place.ask("cloudwatch").list_tags_for_resource(ResourceARN=place.arn("cloudwatch", f"alarm:{name}"))["Tags"]
    )


def _route53(kind: str) -> Lookup:
    def tags(place: Place, name: str) -> Tags:
        plain = name.rsplit("/", 1)[-1]
        answer = place.ask("route53").list_tags_for_resource(ResourceType=kind, ResourceId=plain)
        return _mapping(answer["ResourceTagSet"]["Tags"])

    return tags


def _api_gateway(get: str, parameter: str) -> Lookup:
    def tags(place: Place, name: str) -> Tags:
        found = getattr(place.ask("apigateway"), get)(**{parameter: name})
        return dict(found.get("tags", {}))

    return tags


def _secret(place: Place, name: str) -> Tags:
    return _mapping(place.ask("secretsmanager").describe_secret(SecretId=name).get("Tags", []))


def _topic(place: Place, arn: str) -> Tags:
    return _mapping(place.ask("sns").list_tags_for_resource(ResourceArn=arn)["Tags"])


def _log_group(place: Place, name: str) -> Tags:
    arn = place.arn("logs", f"log-group:{name}")
    return dict(place.ask("logs").list_tags_for_resource(resourceArn=arn)["tags"])


def _rule(place: Place, name: str) -> Tags:
    return _mapping(place.ask("events").list_tags_for_resource(ResourceARN=place.arn("events", f"rule/{name}"))["Tags"])


def _role(place: Place, name: str) -> Tags:
    return _mapping(place.ask("iam").list_role_tags(RoleName=name)["Tags"])


def _distribution(place: Place, name: str) -> Tags:
    arn = place.arn("cloudfront", f"distribution/{name}", region="")
    return _mapping(place.ask("cloudfront").list_tags_for_resource(Resource=arn)["Tags"]["Items"])


def _experiment(place: Place, name: str) -> Tags:
    return dict(place.ask("fis").get_experiment(id=name)["experiment"].get("tags", {}))


def _experiment_template(place: Place, name: str) -> Tags:
    found = place.ask("fis").get_experiment_template(id=name)["experimentTemplate"]
    return dict(found.get("tags", {}))


def _parameter(place: Place, name: str) -> Tags:
    found = place.ask("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
    return _mapping(found["TagList"])


def of_ec2(place: Place, name: str) -> Tags:
    """Associations carry no tags: the subnet that one binds does, which is what a swap of ACL or routes takes away."""
    ec2 = place.ask("ec2")
    carrier = name
    if name.startswith("aclassoc-"):
        acls = ec2.describe_network_acls(Filters=[{"Name": "association.association-id", "Values": [name]}])
        carrier = _associated(acls["NetworkAcls"], "NetworkAclAssociationId", name)
    elif name.startswith("rtbassoc-"):
        tables = ec2.describe_route_tables(
            Filters=[{"Name": "association.route-table-association-id", "Values": [name]}]
        )
        carrier = _associated(tables["RouteTables"], "RouteTableAssociationId", name)
    return _mapping(ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [carrier]}])["Tags"])


def _associated(holders: Any, id_key: str, name: str) -> str:
    bound = [a for holder in holders for a in holder["Associations"] if a.get(id_key) == name]
    return str(bound[0].get("SubnetId") or name) if bound else name


def routing_control(place: Place, arn: str) -> Tags:
    """The configuration of routing controls is in one region alone
    (https://docs.aws.amazon.com/r53recovery/latest/dg/introduction-regions.html)."""
    config = place.client("route53-recovery-control-config", "us-west-2")
    return _mapping(config.list_tags_for_resource(ResourceArn=arn)["Tags"])


def _plan(place: Place, arn: str) -> Tags:
    return _mapping(place.ask("arc-region-switch").list_tags_for_resource(arn=arn)["resourceTags"])


LOOKUPS: Mapping[str, Mapping[str, Lookup]] = {
    "apigateway": {
        "restApiId": _api_gateway("get_rest_api", "restApiId"),
        "domainName": _api_gateway("get_domain_name", "domainName"),
        "usagePlanId": _api_gateway("get_usage_plan", "usagePlanId"),
        "apiKey": _api_gateway("get_api_key", "apiKey"),
        "vpcLinkId": _api_gateway("get_vpc_link", "vpcLinkId"),
    },
    "application-autoscaling": {"ResourceId": _scaled},
    "arc-region-switch": {"planArn": _plan},
    "cloudfront": {"Id": _distribution},
    "cloudwatch": {"AlarmName": _alarm, "AlarmNames": _alarm},
    "events": {"Name": _rule, "Rule": _rule},
    "fis": {"id": _experiment, "experimentTemplateId": _experiment_template},
    "iam": {"RoleName": _role},
    "kms": {"KeyId": _key, "TargetKeyId": _key},
    "lambda": {"FunctionName": _function},
    "logs": {"logGroupName": _log_group},
    "rds": {
        "DBClusterIdentifier": _rds("cluster"),
        "DbClusterIdentifier": _rds("cluster"),
        "SourceDBClusterIdentifier": _rds("cluster"),
        "TargetDbClusterIdentifier": _rds("cluster"),
        "DBInstanceIdentifier": _rds("db"),
        "GlobalClusterIdentifier": _rds("global-cluster"),
        "DBSubnetGroupName": _rds("subgrp"),
    },
    "route53-recovery-cluster": {"RoutingControlArn": routing_control},
    "route53": {
        "HostedZoneId": _route53("hostedzone"),
        "HealthCheckId": _route53("healthcheck"),
    },
    "s3": {"Bucket": _bucket},
    "secretsmanager": {"SecretId": _secret},
    "sns": {"TopicArn": _topic},
    "ssm": {"Name": _parameter},
}
"""By service and parameter. Only what stands at the top of a call's parameters is touched; what is nested is referred to."""
