"""The identity layer: a KMS key a region, and one IAM role a job, each allowed what its job takes and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra_fixtures.provision.boto_errors import ignore_errors
from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.topology import Topology

LAMBDA, S3, EVENTS = "lambda.amazonaws.com", "s3.amazonaws.com", "events.amazonaws.com"
POLICY = "drill"
DELETION_WAIT_DAYS = 7
"""The shortest that KMS allows (https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html)."""


@dataclass(frozen=True, slots=True)
class Key:
    """A customer managed key."""

    id: str
    arn: str

    @property
    def account(self) -> str:
        """The account it, and so everything of the run, belongs to."""
        return self.arn.split(":")[4]


@dataclass(frozen=True, slots=True)
class Roles:
    """Role ARNs: the order API's and the reader's by region, and of the jobs there is one of."""

    orders: Mapping[str, str]
    controller: str
    canary: str
    replication: str
    readers: Mapping[str, str]


def key(kms: Any, names: Names, region: str) -> Key:
    """The region's key for data at rest, found by its alias, or by its tag where a run died before it had that."""
    alias = f"alias/{names.of('data')}"
    found = ignore_errors("NotFoundException", kms.describe_key, KeyId=alias)
    if found is not None and found["KeyMetadata"]["KeyState"] == "PendingDeletion":  # a teardown that was cut short
        kms.delete_alias(AliasName=alias)
        found = None
    if found is None and (nameless := find_key(kms, names)) is not None:
        kms.create_alias(AliasName=alias, TargetKeyId=nameless.id)
        return nameless
    if found is None:
        tags = [{"TagKey": k, "TagValue": v} for k, v in names.tags(f"data-{region}").items()]
        found = kms.create_key(Description=f"data at rest of drill {names.run_id}", Tags=tags)
        kms.create_alias(AliasName=alias, TargetKeyId=found["KeyMetadata"]["KeyId"])
    return Key(found["KeyMetadata"]["KeyId"], found["KeyMetadata"]["Arn"])


def roles(iam: Any, topology: Topology, names: Names, keys: Mapping[str, Key], *, readers: bool = False) -> Roles:
    """Every role with its policy; those of the readers where they are wanted."""
    account = keys[topology.primary.name].account
    primary, standby = topology.region_names
    return Roles(
        orders={
            r: _role(iam, names, f"orders-{r}", LAMBDA, _orders_policy(names, r, account, keys[r]))
            for r in topology.region_names
        },
        controller=_role(iam, names, "controller", LAMBDA, _controller_policy(names, primary, standby, account)),
        canary=_role(iam, names, "canary", LAMBDA, _canary_policy(topology, names, standby, account)),
        replication=_role(iam, names, "replication", S3, _replication_policy(names, primary, standby, account, keys)),
        readers={
            r: _role(iam, names, f"reader-{r}", LAMBDA, _reader_policy(names, r, account, keys[r], names.reader))
            for r in (topology.region_names if readers else ())
        },
    )


def find_key(kms: Any, names: Names) -> Key | None:
    """The region's key, where there is one that is not to be deleted; by its tag where a run died before it had its alias."""
    aliased = ignore_errors("NotFoundException", kms.describe_key, KeyId=f"alias/{names.of('data')}")
    if aliased is not None:
        candidates = [str(aliased["KeyMetadata"]["KeyId"])]
    else:
        pages = kms.get_paginator("list_keys").paginate()
        candidates = [str(listed["KeyId"]) for page in pages for listed in page["Keys"]]
    for identity in candidates:
        # others' keys need not let us read their tags
        tagged = ignore_errors("AccessDeniedException", kms.list_resource_tags, KeyId=identity) or {"Tags": ()}
        if {t["TagKey"]: t["TagValue"] for t in tagged["Tags"]}.get(RUN_TAG) == names.run_id:
            told = kms.describe_key(KeyId=identity)["KeyMetadata"]
            if told["KeyState"] != "PendingDeletion":
                return Key(identity, str(told["Arn"]))
    return None


def tear_down_key(kms: Any, names: Names) -> None:
    """Schedule the region's key for deletion; its alias goes at once, and last, as it is found by it."""
    found = find_key(kms, names)
    if found is not None:
        kms.schedule_key_deletion(KeyId=found.id, PendingWindowInDays=DELETION_WAIT_DAYS)
    ignore_errors("NotFoundException", kms.delete_alias, AliasName=f"alias/{names.of('data')}")


def tear_down_roles(iam: Any, names: Names, regions: Iterable[str]) -> None:
    """Delete the roles and their policies."""
    regional = (f"{job}-{r}" for r in regions for job in ("orders", "reader"))
    for part in (*regional, "controller", "canary", "replication"):
        name = names.of(part)
        listed = ignore_errors("NoSuchEntity", iam.list_role_policies, RoleName=name)
        if listed is not None:
            for policy in listed["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)


def _role(iam: Any, names: Names, part: str, service: str, statements: list[dict[str, Any]]) -> str:
    name = names.of(part)
    trust = _policy([{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}])
    made = ignore_errors(
        "EntityAlreadyExists", iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust, Tags=names.tag_list(part)
    )
    _put_policy(iam, name, POLICY, statements, fresh=made is not None)
    role = made or iam.get_role(RoleName=name)
    return str(role["Role"]["Arn"])


def _put_policy(iam: Any, role: str, name: str, statements: list[dict[str, Any]], *, fresh: bool = False) -> None:
    """Put an inline policy where it is not there as it should be."""
    if not fresh:
        existing = ignore_errors("NoSuchEntity", iam.get_role_policy, RoleName=role, PolicyName=name)
        if existing is not None and existing["PolicyDocument"] == json.loads(_policy(statements)):
            return
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=_policy(statements))


def _orders_policy(names: Names, region: str, account: str, own: Key) -> list[dict[str, Any]]:
    return [
        *_reader_policy(names, region, account, own, names.orders),
        _allow(["s3:PutObject"], f"arn:aws:s3:::{names.bucket(region, account)}/receipts/*"),
    ]


def _reader_policy(names: Names, region: str, account: str, own: Key, function: str) -> list[dict[str, Any]]:
    """What a function in the private subnets needs to use the database."""
    return [
        _logs(region, account, function),
        # EC2 knows no resource for these when Lambda makes its network interfaces
        # (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions).
        _allow(
            [
                "ec2:CreateNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "*",
        ),
        _allow(
            ["secretsmanager:GetSecretValue"],
            f"arn:aws:secretsmanager:{region}:{account}:secret:{names.of('database')}-*",
        ),
        _allow(["kms:Decrypt", "kms:GenerateDataKey"], own.arn),
    ]


def _controller_policy(names: Names, primary: str, standby: str, account: str) -> list[dict[str, Any]]:
    global_cluster = f"arn:aws:rds::{account}:global-cluster:{names.global_cluster}"
    clusters = {r: f"arn:aws:rds:{r}:{account}:cluster:{names.cluster(r)}" for r in (primary, standby)}
    orders = f"arn:aws:lambda:{standby}:{account}:function:{names.orders}"
    return [
        _logs(standby, account, names.controller),
        _allow(["rds:DescribeGlobalClusters"], [global_cluster, *clusters.values()]),
        _allow(["rds:SwitchoverGlobalCluster", "rds:FailoverGlobalCluster"], [global_cluster, *clusters.values()]),
        _allow(["rds:DescribeDBClusters"], clusters[primary]),
        _allow(["rds:DescribeDBInstances"], f"arn:aws:rds:{primary}:{account}:db:*"),
        _allow(["lambda:InvokeFunction"], f"arn:aws:lambda:{primary}:{account}:function:{names.orders}"),
        _allow(["lambda:PutFunctionConcurrency", "lambda:PutProvisionedConcurrencyConfig"], [orders, f"{orders}:*"]),
        _allow(
            ["application-autoscaling:RegisterScalableTarget"],
            f"arn:aws:application-autoscaling:{standby}:{account}:scalable-target/*",
        ),
    ]


def _canary_policy(topology: Topology, names: Names, standby: str, account: str) -> list[dict[str, Any]]:
    put = _allow(["cloudwatch:PutMetricData"], "*")  # CloudWatch knows no resource for it, only the namespace
    put["Condition"] = {"StringEquals": {"cloudwatch:namespace": topology.canary.namespace}}
    return [_logs(standby, account, names.canary), put]


def _replication_policy(
    names: Names, primary: str, standby: str, account: str, keys: Mapping[str, Key]
) -> list[dict[str, Any]]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html."""
    source, replica = (f"arn:aws:s3:::{names.bucket(r, account)}" for r in (primary, standby))
    return [
        _allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
        _allow(
            ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"], f"{source}/*"
        ),
        _allow(["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], f"{replica}/*"),
        _allow(["kms:Decrypt"], keys[primary].arn),
        _allow(["kms:Encrypt", "kms:GenerateDataKey"], keys[standby].arn),
    ]


def _logs(region: str, account: str, function: str) -> dict[str, Any]:
    group = f"arn:aws:logs:{region}:{account}:log-group:/aws/lambda/{function}"
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:*")


def _allow(actions: list[str], resources: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
