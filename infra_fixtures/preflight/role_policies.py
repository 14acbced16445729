"""The policies that an IAM role has: its own, those attached to it, and its boundary, as IAM gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra_fixtures.permissions.evaluation import Policy
from infra_fixtures.preflight.check import pages


@dataclass(frozen=True, slots=True)
class RolePolicies:
    """`policies` allow, `boundary` limits them."""

    policies: list[Policy]
    boundary: Policy | None


def role_policies(iam: Any, role: str) -> RolePolicies:
    """Those of a role, by its name; raises ClientError where one of them cannot be read."""
    found: list[Policy] = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=role)
        for name in page["PolicyNames"]
    ]
    attached = pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role)
    found += [_document(iam, str(one["PolicyArn"])) for one in attached]
    boundary = iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return RolePolicies(found, _document(iam, str(boundary)) if boundary else None)


def _document(iam: Any, arn: str) -> Policy:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Policy = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return document
