"""Which resources a target of an experiment selects.

https://docs.aws.amazon.com/fis/latest/userguide/targets.html: by ARNs, or by tags (all of them) and the parameters of the
type; filters narrow down what was found, each by a path into what the resource's Describe call says, any value of a filter
and all filters; the selection mode then takes all, or some at random. A percentage is rounded down.
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra_fixtures.control_plane.fis.actions.action import Parameter, Resource, unless_gone
from infra_fixtures.control_plane.fis.caller import Caller

_COUNT = re.compile(r"COUNT\((\d+)\)")
_PERCENT = re.compile(r"PERCENT\((\d+)\)")

Find = Callable[[Caller, str], Awaitable[list[Resource]]]


@dataclass(frozen=True, slots=True)
class TargetType:
    """A type of resources: `find` lists those of a region and account; `by_tag_only`: ARNs are not taken.

    A parameter is answered by a path into what the API says of the resource, by its name in `parameters`.
    """

    description: str
    find: Find
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    by_tag_only: bool = False


def selection(mode: str) -> Callable[[int], int]:
    """How many of so many resources a selection mode takes; ValueError where it is none."""
    if mode == "ALL":
        return lambda found: found
    if (count := _COUNT.fullmatch(mode)) and (wanted := int(count[1])) > 0:
        return lambda found: min(found, wanted)
    if (share := _PERCENT.fullmatch(mode)) and 1 <= (percent := int(share[1])) <= 100:
        return lambda found: found * percent // 100
    raise ValueError(f"{mode} is none of ALL, COUNT(n), PERCENT(n)")


async def resolve(caller: Caller, account_id: str, target: Mapping[str, Any]) -> list[Resource]:
    """The resources that a target selects now."""
    kind = TARGET_TYPES[target["resourceType"]]
    found = await kind.find(caller, account_id)
    if arns := target.get("resourceArns"):
        found = [r for r in found if r.arn in arns]
    tags = target.get("resourceTags") or {}
    found = [r for r in found if tags.items() <= r.tags.items()]
    for name, wanted in (target.get("parameters") or {}).items():
        values = [v.strip() for v in str(wanted).split(",")]
        found = [r for r in found if set(values_at(r.said, _PARAMETER_PATHS[name])) & set(values)]
    for narrowing in target.get("filters") or ():
        found = [r for r in found if set(values_at(r.said, narrowing["path"])) & set(narrowing["values"])]
    number = selection(target["selectionMode"])(len(found))
    return found if number == len(found) else random.sample(found, number)


def values_at(said: Any, path: str) -> list[str]:
    """The values at a dotted path, through lists as well; none where nothing is there."""
    reached: list[Any] = [said]
    for part in path.split("."):
        reached = [v[part] for r in _flat(reached) if isinstance(r, Mapping) and (v := r) and part in r]
    return [str(v) for v in _flat(reached)]


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value


_PARAMETER_PATHS = {
    "availabilityZoneIdentifier": "_Zones",
    "availabilityZoneIdentifiers": "_Zones",
    "writerAvailabilityZoneIdentifiers": "_WriterZones",
    "vpc": "VpcId",
}


def _tags(described: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {t["Key"]: t["Value"] for t in described}


async def _subnets(caller: Caller, account_id: str) -> list[Resource]:
    pages = await caller.pages("ec2", "describe_subnets")
    return [
        Resource(
            f"arn:aws:ec2:{caller.region}:{account_id}:subnet/{s['SubnetId']}",
            _tags(s.get("Tags", ())),
            {**s, "_Zones": [s.get("AvailabilityZone"), s.get("AvailabilityZoneId")]},
        )
        for page in pages
        for s in page["Subnets"]
    ]


async def _endpoints(caller: Caller, account_id: str) -> list[Resource]:
    return [
        Resource(
            f"arn:aws:ec2:{caller.region}:{account_id}:vpc-endpoint/{e['VpcEndpointId']}", _tags(e.get("Tags", ())), e
        )
        for page in await caller.pages("ec2", "describe_vpc_endpoints")
        for e in page["VpcEndpoints"]
    ]


async def _buckets(caller: Caller, account_id: str) -> list[Resource]:
    found = []
    for said in (await caller.do("s3", "list_buckets"))["Buckets"]:
        name = said["Name"]
        where = await unless_gone(("NoSuchBucket",), caller.do("s3", "get_bucket_location", Bucket=name))
        if where is None or (where.get("LocationConstraint") or "us-east-1") != caller.region:
            continue
        tagged = await unless_gone(("NoSuchTagSet", "NoSuchBucket"), caller.do("s3", "get_bucket_tagging", Bucket=name))
        found.append(Resource(f"arn:aws:s3:::{name}", _tags((tagged or {}).get("TagSet", ())), said))
    return found


async def _clusters(caller: Caller, account_id: str) -> list[Resource]:
    instances = await _instances(caller, account_id)
    zones = {i.said["DBInstanceIdentifier"]: i.said.get("AvailabilityZone") for i in instances}
    pages = await caller.pages("rds", "describe_db_clusters")
    found = []
    for said in (c for page in pages for c in page["DBClusters"]):
        writers = [m["DBInstanceIdentifier"] for m in said.get("DBClusterMembers", ()) if m.get("IsClusterWriter")]
        extended = {**said, "_WriterZones": [zones.get(w) for w in writers]}
        found.append(Resource(said["DBClusterArn"], _tags(said.get("TagList", ())), extended))
    return found


async def _instances(caller: Caller, account_id: str) -> list[Resource]:
    pages = await caller.pages("rds", "describe_db_instances")
    return [
        Resource(i["DBInstanceArn"], _tags(i.get("TagList", ())), {**i, "_Zones": i.get("AvailabilityZone")})
        for page in pages
        for i in page["DBInstances"]
    ]


async def _functions(caller: Caller, account_id: str) -> list[Resource]:
    found = []
    for page in await caller.pages("lambda", "list_functions"):
        for said in page["Functions"]:
            tagged = await caller.do("lambda", "list_tags", Resource=said["FunctionArn"])
            found.append(Resource(said["FunctionArn"], tagged.get("Tags") or {}, said))
    return found


_ZONE = Parameter("The Availability Zone that contains the resources: its name or its id.")

TARGET_TYPES: Mapping[str, TargetType] = {
    "aws:ec2:subnet": TargetType(
        "An Amazon VPC subnet",
        _subnets,
        {
            "availabilityZoneIdentifier": _ZONE,
            "vpc": Parameter("The VPC that contains the target subnets."),
        },
    ),
    "aws:ec2:vpc-endpoint": TargetType(
        "An Amazon VPC endpoint", _endpoints, {"vpc": Parameter("The VPC that contains the target endpoints.")}
    ),
    "aws:lambda:function": TargetType("An AWS Lambda function", _functions),
    "aws:rds:cluster": TargetType(
        "An Amazon Aurora DB cluster",
        _clusters,
        {"writerAvailabilityZoneIdentifiers": Parameter("The Availability Zones of the writers of the DB clusters.")},
    ),
    "aws:rds:db": TargetType(
        "An Amazon RDS DB instance",
        _instances,
        {"availabilityZoneIdentifiers": Parameter("The Availability Zones of the DB instances.")},
    ),
    "aws:s3:bucket": TargetType("An Amazon S3 bucket", _buckets, by_tag_only=True),
}
