"""May each role do what it will be asked to? Told by IAM itself where that is allowed, else by the policies that a role has.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html. Policies of an organisation are seen by
IAM's own simulation alone; what cannot be told is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.permissions.calls import Request, Role
from infra_fixtures.permissions.evaluation import CannotTell, Decision, decide
from infra_fixtures.permissions.policies import Narrowing
from infra_fixtures.permissions.samples import by_resource, samples
from infra_fixtures.preflight.check import Finding, Verdict
from infra_fixtures.preflight.role_policies import role_policies

PAGE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html"
MOST_NAMED = 40


@dataclass(frozen=True, slots=True)
class Lacking:
    """A request that would be refused, and by what."""

    request: Request
    by: str


def rights(iam: Any, holders: Mapping[Role, str], narrowing: Narrowing) -> list[Finding]:
    """A finding a role: `holders` are the ARNs of who has it. Every action that is lacking is named."""
    return [_of_role(iam, role, arn, narrowing) for role, arn in holders.items()]


def holder_of(sts: Any, role_arn: str) -> str:
    """The ARN of the role or user whose credentials these are (empty `role_arn`), or that role's."""
    if role_arn:
        return role_arn
    arn = str(sts.get_caller_identity()["Arn"])
    if ":assumed-role/" in arn:  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
        head, _, rest = arn.replace(":sts:", ":iam:").partition(":assumed-role/")
        return f"{head}:role/{rest.partition('/')[0]}"
    return arn


def _of_role(iam: Any, role: Role, arn: str, narrowing: Narrowing) -> Finding:
    name = f"permissions of the {role.value}"
    if arn.endswith(":root"):
        return Finding(name, Verdict.OK, "the account's root user may do everything: use a role instead")
    try:
        refused, how = _asked(iam, role, arn, narrowing)
    except (BotoCoreError, ClientError, CannotTell) as e:
        return Finding(name, Verdict.UNKNOWN, f"{arn}: its policies cannot be read or understood: {e}")
    if not refused:
        return Finding(name, Verdict.OK, how)
    told = sorted({f"{r.request.action} on {r.request.arn}{f' ({r.by})' if r.by else ''}" for r in refused})
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return Finding(
        name,
        Verdict.REFUSE,
        f"{arn} may not {', '.join(told[:MOST_NAMED])}{more}",
        f"give it the policies of `python -m infra_fixtures policies --role {role.value}`",
        PAGE,
    )


def _asked(iam: Any, role: Role, arn: str, narrowing: Narrowing) -> tuple[list[Lacking], str]:
    """What would be refused, and how that is known."""
    try:
        return list(_simulated(iam, role, arn, narrowing)), "as IAM's own simulation says"
    except ClientError as e:
        not_simulated = str(e.response["Error"]["Code"])
    found = role_policies(iam, arn.rpartition("/")[2])
    refused = [
        Lacking(request, "" if decision is Decision.IMPLICIT_DENY else "denied")
        for request in samples(role, narrowing)
        if (decision := decide(found.policies, request, found.boundary)) is not Decision.ALLOWED
    ]
    return refused, f"as its own policies say, an organisation's not seen (SimulatePrincipalPolicy: {not_simulated})"


def _simulated(iam: Any, role: Role, arn: str, narrowing: Narrowing) -> Iterator[Lacking]:
    for (resource, context), together in by_resource(samples(role, narrowing)).items():
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=arn,
            ActionNames=[request.action for request in together],
            ResourceArns=[resource],
            ContextEntries=[
                {
                    "ContextKeyName": key,
                    "ContextKeyValues": list(values),
                    "ContextKeyType": "boolean" if values in (("true",), ("false",)) else "string",
                }
                for key, values in context
            ],
        )
        told = {str(r["EvalActionName"]): r for page in pages for r in page["EvaluationResults"]}
        for request in together:
            result = told.get(request.action, {})
            if result.get("EvalDecision") != "allowed":
                yield Lacking(request, _by(result))


def _by(result: Mapping[str, Any]) -> str:
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "an organisation's policy does not allow it"
    if not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        return "its permissions boundary does not allow it"
    return "denied" if result.get("EvalDecision") == "explicitDeny" else ""
