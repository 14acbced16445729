"""The policies of a role: what it needs, narrowed by name, tag and region, in documents of the size that IAM takes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL_SERVICES
from infra_fixtures.permissions.besides import LINKED_ROLES
from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.evaluation import Policy, like
from infra_fixtures.permissions.needs import needs
from infra_fixtures.permissions.reference import RESOURCE_TAG, reference
from infra_fixtures.permissions.scopes import BY_NAME, NAME, Scope, Tagged

LIMIT = 6144
"""Characters of a managed policy, white space apart, and at most ten of them a role
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
Condition = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """How far the roles reach.

    `name` is the pattern of the names of what is drilled, `tag` the key of the tag that a run gives to what it makes. `mark`
    is a tag (key, value) that the owner of a system that stands already has given to what may be broken. `zone` is the
    pattern of the names that records may be written for.
    """

    regions: tuple[str, ...]
    name: str
    tag: str
    mark: tuple[str, str] | None = None
    account: str = "*"
    zone: str = "*"

    def wants(self, tagged: Tagged) -> list[Condition]:
        """The conditions on a tag, each of which is enough."""
        if tagged is Tagged.NOT:
            return [{}]
        by_run: Condition = {"Null": {f"{tagged.value}{self.tag}": "false"}}
        return [by_run, *self.marked] if tagged is Tagged.RESOURCE else [by_run]

    @property
    def marked(self) -> list[Condition]:
        """The condition on the owner's mark."""
        return [{"StringEquals": {f"{RESOURCE_TAG}{self.mark[0]}": self.mark[1]}}] if self.mark else []


def policies(role: Role, narrowing: Narrowing) -> list[Policy]:
    """The role's policy documents, none of them too large for IAM."""
    documents: list[list[dict[str, Any]]] = [[]]
    for statement in _statements(role, narrowing):
        if _size([*documents[-1], statement]) > LIMIT:
            documents.append([])
        documents[-1].append(statement)
        if _size(documents[-1]) > LIMIT:
            raise UnusableInput(
                f"a statement of the role {role.value} is larger than a policy may be ({LIMIT} characters)"
            )
    return [_document(statements) for statements in documents]


def conditions_of(role: Role, action: str, scope: Scope, narrowing: Narrowing) -> list[Condition]:
    """The conditions under which an action is allowed in a scope, each of which is enough."""
    regional = action.partition(":")[0] not in GLOBAL_SERVICES
    shared: Condition = {"StringEquals": {"aws:RequestedRegion": list(narrowing.regions)}} if regional else {}
    alternatives = narrowing.wants(Tagged.NOT)
    if not reference().action(action).reads:
        alternatives = narrowing.wants(scope.tagged)
        if role is Role.BREAKER and NAME in scope.values and reference().kinds[scope.kind].tagged:
            alternatives = narrowing.marked or alternatives
    return [_joined(shared, each, _besides(action, scope, narrowing)) for each in alternatives]


def _joined(*conditions: Condition) -> Condition:
    whole: dict[str, dict[str, Any]] = {}
    for operator, keys in (pair for condition in conditions for pair in condition.items()):
        whole[operator] = {**whole.get(operator, {}), **keys}
    return whole


def _besides(action: str, scope: Scope, narrowing: Narrowing) -> Condition:
    """What an action's own condition keys allow to narrow."""
    match action:
        case "iam:PassRole":
            return {"StringEquals": {"iam:PassedToService": ["lambda.amazonaws.com", "s3.amazonaws.com"]}}
        case "iam:CreateServiceLinkedRole":
            return {"StringEquals": {"iam:AWSServiceName": sorted(LINKED_ROLES.values())}}
        case "kms:CreateKey":
            return narrowing.wants(Tagged.REQUEST)[0]
        case "kms:CreateGrant":
            return {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        case "ec2:CreateTags" if scope.tagged is Tagged.REQUEST:
            return {"StringLike": {"ec2:CreateAction": "Create*"}}
        case "route53:ChangeResourceRecordSets" if narrowing.zone != "*":
            return {
                "ForAllValues:StringLike": {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": [narrowing.zone, f"*.{narrowing.zone}"]
                }
            }
        case _ if action.startswith("application-autoscaling:") and scope.kind:
            return {"StringEquals": {"application-autoscaling:service-namespace": "lambda"}}
        case _:
            return {}


def _statements(role: Role, narrowing: Narrowing) -> Iterator[dict[str, Any]]:
    """Actions that are allowed on the same under the same condition share a statement."""
    allowed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for action, scopes in needs()[role].items():
        for scope in map(BY_NAME.__getitem__, scopes):
            if not _is_covered(scope, scopes, narrowing.name):
                for condition in conditions_of(role, action, scope, narrowing):
                    key = action, json.dumps(condition, sort_keys=True)
                    allowed[key].add(scope.arn(narrowing.account, narrowing.name))
    shared: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for (action, told), arns in sorted(allowed.items()):
        shared[tuple(sorted(arns)), told].append(action)
    for (resources, told), actions in sorted(shared.items()):
        statement: dict[str, Any] = {"Effect": "Allow", "Action": actions, "Resource": list(resources)}
        if own := json.loads(told):
            statement["Condition"] = own
        yield statement


def _is_covered(scope: Scope, scopes: frozenset[str], name: str) -> bool:
    """Whether another of these scopes holds for all of it, and without a tag."""
    if scope.tagged is Tagged.REQUEST:
        return False
    return any(
        other.kind == scope.kind and other is not scope and other.tagged is Tagged.NOT
        and like(other.arn("*", name), scope.arn("*", name))
        for other in map(BY_NAME.__getitem__, scopes)
    )  # fmt: skip


def _document(statements: list[dict[str, Any]]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}


def _size(statements: list[dict[str, Any]]) -> int:
    return len(json.dumps(_document(statements), separators=(",", ":")))
