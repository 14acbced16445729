"""What each role must be allowed: `needs.json`, recorded from the calls of whole drills, and what no drill here shows.

    python -m tests.infra_fixtures.permissions.whole_life

records it anew, from provisioning to teardown. Which role a call is of is told by the part of the harness that makes it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from infra_fixtures.permissions.calls import Role

FILE = Path(__file__).with_name("needs.json")
Needs = Mapping[Role, Mapping[str, frozenset[str]]]
"""By role and action: the names of the scopes."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """An action that the code needs only where something is as no recorded drill has it."""

    role: Role
    action: str
    scopes: tuple[str, ...]
    because: str


_AGAIN = "a system that is provisioned again, or whose provisioning was broken off, is mended"
_EDGE = "the topology has CloudFront in front (`cloudfront = true`)"
_READ = "a preflight reads the policies that are attached to a role where it may not have them simulated"
_P, _B, _O = Role.PROVISIONER, Role.BREAKER, Role.OBSERVER
CONDITIONAL: tuple[Conditional, ...] = (
    Conditional(_P, "iam:GetRolePolicy", ("role of a run",), _AGAIN),
    Conditional(_P, "lambda:PublishVersion", ("function",), _AGAIN),
    Conditional(_P, "lambda:UpdateAlias", ("function",), _AGAIN),
    Conditional(_P, "lambda:UpdateFunctionCode", ("function",), _AGAIN),
    Conditional(_P, "lambda:UpdateFunctionConfiguration", ("function",), _AGAIN),
    Conditional(
        _P, "iam:ListRoleTags", ("role of a run",), "a guard whose scope has a tag looks at a role before it is changed"
    ),
    Conditional(_P, "ec2:CreateDefaultVpc", ("any vpc",), "the primary's account has no default VPC"),
    *(
        Conditional(_P, f"cloudfront:{action}", (scope,), _EDGE)
        for action, scope in (
            ("CreateDistribution", "anything"),
            ("TagResource", "anything"),
            ("ListDistributions", "anything"),
            ("GetDistribution", "distribution"),
            ("GetDistributionConfig", "distribution"),
            ("UpdateDistribution", "distribution"),
            ("DeleteDistribution", "distribution"),
        )
    ),
    *(
        Conditional(_O, f"iam:{action}", ("any role",), "a preflight asks about the harness's own three roles")
        for action in (
            "GetRole",
            "GetRolePolicy",
            "ListAttachedRolePolicies",
            "ListRolePolicies",
            "SimulatePrincipalPolicy",
        )
    ),
    Conditional(_O, "rds:DescribeDBClusterParameters", ("cluster parameter group",), "a cluster has its own group"),
    Conditional(_O, "rds:DescribeDBParameters", ("parameter group",), "an instance has its own group"),
    Conditional(_O, "iam:GetPolicy", ("any policy",), _READ),
    Conditional(_O, "iam:GetPolicyVersion", ("any policy",), _READ),
    Conditional(
        _P, "route53:GetChange", ("change",), "AWS takes a while to tell its name servers, an emulator does not"
    ),
    Conditional(_O, "cloudtrail:LookupEvents", ("anything",), "`trail` compares a run with CloudTrail afterwards"),
    Conditional(
        _O, "fis:GetSafetyLever", ("safety lever",), "FIS's safety lever forbids a game day, where FIS can be asked"
    ),
    Conditional(_O, "pricing:GetProducts", ("anything",), "AWS is asked what a system costs, an emulator is not"),
    Conditional(
        _B, "lambda:DeleteFunctionConcurrency", ("function",), "a throttled function had no reserved concurrency before"
    ),
    Conditional(_B, "route53:UpdateHealthCheck", ("health check",), "a health check was inverted to divert traffic"),
)


@functools.cache
def recorded() -> Needs:
    """What was recorded."""
    kept = msgspec.json.decode(FILE.read_bytes(), type=dict[str, dict[str, list[str]]])
    return {Role(role): {action: frozenset(scopes) for action, scopes in own.items()} for role, own in kept.items()}


def needs() -> Needs:
    """All of it."""
    whole = {role: dict(recorded().get(role, {})) for role in Role}
    for one in CONDITIONAL:
        own = whole[one.role]
        own[one.action] = own.get(one.action, frozenset()) | frozenset(one.scopes)
    return whole


def write(found: Needs) -> None:
    """Keep what was recorded."""
    plain = {role.value: {a: sorted(s) for a, s in sorted(found.get(role, {}).items())} for role in Role}
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n")
