"""What IAM is asked for a call: its actions, those that AWS asks for besides, and on which resources.

botocore has no such table. Most operations ask for the action of their own name; the rest stands here, each with its page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from botocore import loaders

from infra_fixtures.global_services import GLOBAL_SERVICES
from infra_fixtures.permissions.arns import PATH, Named, arn_of, named, path_of
from infra_fixtures.permissions.besides import besides
from infra_fixtures.permissions.calls import Call, Request
from infra_fixtures.permissions.known import Known, Tags, tags_given
from infra_fixtures.permissions.reference import REQUEST_TAG, RESOURCE_TAG, reference

PREFIXES: Mapping[str, str] = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
"""Action prefixes that are not botocore's name of the service."""

ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cloudfront", "CreateDistributionWithTags"): ("cloudfront:CreateDistribution", "cloudfront:TagResource"),
    ("lambda", "Invoke"): ("lambda:InvokeFunction",),
    ("s3", "DeleteBucketReplication"): ("s3:PutReplicationConfiguration",),
    ("s3", "DeleteObjects"): ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    ("s3", "GetBucketEncryption"): ("s3:GetEncryptionConfiguration",),
    ("s3", "GetBucketReplication"): ("s3:GetReplicationConfiguration",),
    ("s3", "HeadBucket"): ("s3:ListBucket",),
    ("s3", "HeadObject"): ("s3:GetObject",),
    ("s3", "ListBuckets"): ("s3:ListAllMyBuckets",),
    ("s3", "ListObjectVersions"): ("s3:ListBucketVersions",),
    ("s3", "ListObjectsV2"): ("s3:ListBucket",),
    ("s3", "PutBucketEncryption"): ("s3:PutEncryptionConfiguration",),
    ("s3", "PutBucketReplication"): ("s3:PutReplicationConfiguration",),
    ("s3", "PutPublicAccessBlock"): ("s3:PutBucketPublicAccessBlock",),
    ("s3", "UploadPart"): ("s3:PutObject",),
    # Asked with the credentials themselves, before any role is assumed.
    ("sts", "AssumeRole"): (),
    # GetCallerIdentity needs no permission, whatever a policy says
    # (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
    ("sts", "GetCallerIdentity"): (),
}
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and the API page of each operation."""

ALWAYS_THERE: Mapping[str, str] = {
    "rds:cluster-pg": "default.aurora-postgresql16",
    "rds:og": "default:aurora-postgresql-16",
    "rds:pg": "default.aurora-postgresql16",
}
"""What RDS takes where a call names none, and asks for all the same: its default groups
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html)."""

ONE_OF_THEM = frozenset({"iam:SimulatePrincipalPolicy", "route53:ChangeTagsForResource", "route53:ListTagsForResource"})
"""Actions whose kinds the reference has as required, all of them, of which a call names one."""


class NoResource(Exception):
    """A call's action is allowed on resources of a kind that the call does not name; the tables here lack a row."""


def requests(call: Call, account: str, known: Known) -> Iterator[Request]:
    """Everything that IAM is asked, in no particular order; a request may come more than once."""
    resources = list(named(call, account, known))
    for action in actions_of(call):
        yield from _on_resources(call, account, action, resources, known)
    for besides_it in besides(call, account, known, resources):
        yield from _on(call, besides_it.action, besides_it.resources, besides_it.context)


def actions_of(call: Call) -> tuple[str, ...]:
    """The actions of the operation itself."""
    if call.service == "apigateway":
        return (f"apigateway:{_http(call.operation)[0]}",)
    own = f"{PREFIXES.get(call.service, call.service)}:{call.operation}"
    if call.service == "s3" and call.operation in ("GetObject", "HeadObject") and call.parameters.get("VersionId"):
        return ("s3:GetObjectVersion",)
    return ACTIONS.get((call.service, call.operation), (own,))


def _on_resources(call: Call, account: str, action: str, resources: list[Named], known: Known) -> Iterator[Request]:
    if call.service == "apigateway":
        yield from _on(call, action, [_path(call, account, known)])
        return
    kinds = reference().action(action).kinds
    chosen = [each for each in resources if each.kind in kinds]
    one_is_enough = bool(chosen) and action in ONE_OF_THEM
    missing = (
        set()
        if one_is_enough
        else {kind for kind, required in kinds.items() if required} - {each.kind for each in chosen}
    )
    for kind in sorted(missing):
        if kind in ALWAYS_THERE:
            chosen.append(Named(kind, arn_of(kind, call.region, account, ALWAYS_THERE[kind]), {}))
        elif reference().action(action).reads:  # it lists all of them
            chosen.append(Named(kind, arn_of(kind, call.region, account), {}))
        elif stands_for := _UNNAMED.get((action, kind)):
            chosen.append(Named(kind, arn_of(kind, call.region, account, stands_for(call)), {}))
        else:
            raise NoResource(f"{call} asks for {action} on a {kind}, which it does not name")
    yield from _on(call, action, chosen or [Named("", "*", {})])


def _on(
    call: Call, action: str, resources: list[Named], more: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[Request]:
    given = tags_given(call)
    shared = {} if call.service in GLOBAL_SERVICES else {"aws:RequestedRegion": (call.region,)}
    for resource in resources:
        context = {**shared, **_tag_keys(REQUEST_TAG, given), **_own_keys(call), **(more or {})}
        context |= {} if resource.new else _tag_keys(RESOURCE_TAG, resource.tags)
        yield Request(action, resource.kind, resource.arn, context, resource.new)


def _own_keys(call: Call) -> dict[str, tuple[str, ...]]:
    """Condition keys that are one service's own, as far as a policy here asks for them."""
    match call.service:
        case "application-autoscaling":
            return {"application-autoscaling:service-namespace": (str(call.parameters["ServiceNamespace"]),)}
        case "route53" if call.operation == "ChangeResourceRecordSets":
            changes = call.parameters["ChangeBatch"]["Changes"]
            names = {str(change["ResourceRecordSet"]["Name"]).lower().rstrip(".") for change in changes}
            return {"route53:ChangeResourceRecordSetsNormalizedRecordNames": tuple(sorted(names))}
        case _:
            return {}


def _tag_keys(prefix: str, tags: Tags) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}{key}": (value,) for key, value in tags.items()}


def _http(operation: str) -> tuple[str, str]:
    """Method and path of an operation of API Gateway."""
    model = loaders.Loader().load_service_model("apigateway", "service-2")
    http = model["operations"][operation]["http"]
    return str(http["method"]), str(http["requestUri"])


def _path(call: Call, account: str, known: Known) -> Named:
    """What is below an API, a plan or a domain name has its tags, as far as permissions go
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html)."""
    path = path_of(call, _http(call.operation)[1])
    parts = path.strip("/").split("/")
    tags = known.tags(parts[1]) if len(parts) > 1 else {}
    return Named(PATH, arn_of(PATH, call.region, account, path), tags, new=len(parts) == 1)


def _source(call: Call) -> str:
    return str(call.parameters["GlobalClusterIdentifier"])


_UNNAMED: Mapping[tuple[str, str], Callable[[Call], str]] = {
    # Asked for although no cluster becomes a member at once, and no snapshot is taken.
    ("rds:CreateGlobalCluster", "rds:cluster"): _source,
    ("rds:DeleteDBCluster", "rds:cluster-snapshot"): lambda call: str(call.parameters["DBClusterIdentifier"]),
}
"""Resources that an action must be allowed on, and the call does not name."""
