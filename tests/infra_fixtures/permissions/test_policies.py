"""The generated policies: every call that was recorded is allowed, nothing is allowed that is not used, and IAM takes them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.session import get_session

from infra_fixtures.permissions.calls import Call, Request, Role
from infra_fixtures.permissions.command import COMMITTED, NAME, REGIONS, TAG, committed_files
from infra_fixtures.permissions.evaluation import Decision, decide
from infra_fixtures.permissions.needs import CONDITIONAL, needs, recorded
from infra_fixtures.permissions.policies import LIMIT, Narrowing, policies
from infra_fixtures.permissions.reference import reference
from infra_fixtures.permissions.requests import actions_of
from infra_fixtures.permissions.scopes import BY_NAME, SCOPES
from infra_fixtures.provision import RUN_TAG
from infra_fixtures.provision.naming import Names

ROOT = Path(__file__).resolve().parents[3]
WIDEST = Narrowing(REGIONS, NAME, TAG)


def test_committed_documents_are_those_that_are_generated() -> None:
    """What people read and paste is what the code gives; `python -m tests.infra_fixtures.permissions.write` writes it."""
    lying = {path: path.read_text() for path in COMMITTED.iterdir()}
    assert lying == committed_files()


def test_names_and_tag_are_those_that_runs_give() -> None:
    """The pattern and the tag of the policies are provisioning's."""
    assert TAG == RUN_TAG
    assert Names("R-1").prefix.startswith(NAME.removesuffix("*"))


@pytest.mark.parametrize("role", Role)
def test_documents_are_such_as_iam_takes(role: Role) -> None:
    """None is larger than a managed policy may be, and no role has more than the ten that may be attached."""
    documents = policies(role, WIDEST)
    assert 1 <= len(documents) <= 10
    for document in documents:
        assert len(json.dumps(document, separators=(",", ":"))) <= LIMIT
        assert document["Version"] == "2012-10-17"


def test_no_action_is_wild_and_none_goes_unused() -> None:
    """Every action stands by its whole name, and was recorded or has its reason; each of either is in the role's policy."""
    for role in Role:
        granted = {
            action for document in policies(role, WIDEST) for s in document["Statement"] for action in s["Action"]
        }
        assert not [action for action in granted if "*" in action]
        with_reason = {one.action for one in CONDITIONAL if one.role is role and one.because}
        assert granted == set(recorded().get(role, {})) | with_reason


def test_only_what_aws_cannot_narrow_is_allowed_on_everything() -> None:
    """A statement on `*` has only actions that know no resource, or whose resources a call does not name."""
    on_everything = {
        action
        for role in Role
        for document in policies(role, WIDEST)
        for statement in document["Statement"]
        for action in statement["Action"]
        if statement["Resource"] == ["*"]
    }
    required = {a for a in on_everything if any(reference().action(a).kinds.values())}
    assert required <= {"route53:AssociateVPCWithHostedZone"}, "the zone is the service's own"


def test_observer_writes_nothing_but_heartbeats() -> None:
    """What looks cannot break: beside reading it may use keys, store a probe's heartbeats, and ask the function that reads."""
    writing = {a for a in needs()[Role.OBSERVER] if not reference().action(a).reads}
    assert writing <= {"kms:Decrypt", "s3:PutObject", "lambda:InvokeFunction"}
    assert needs()[Role.OBSERVER].get("lambda:InvokeFunction", {"reader"}) == {"reader"}


def test_breaker_can_remove_nothing_but_what_it_made() -> None:
    """What breaks cannot delete: only the ACL of a fault, and a reservation that there was not."""
    removing = {a for a in needs()[Role.BREAKER] if a.partition(":")[2].startswith(("Delete", "Remove", "Terminate"))}
    assert removing == {"ec2:DeleteNetworkAcl", "lambda:DeleteFunctionConcurrency"}


def _asks(action: str, kind: str, arn: str, **context: str) -> Request:
    named = {key.replace("__", ":").replace("_", "-"): (value,) for key, value in context.items()}
    return Request(action, kind, arn, {"aws:RequestedRegion": ("us-west-2",), **named})


ACL = "arn:aws:ec2:us-west-2:123456789012:network-acl/acl-1"


@pytest.mark.parametrize(
    ("role", "request_"),
    [
        (Role.BREAKER, _asks("lambda:PutFunctionConcurrency", "", "arn:aws:lambda:us-west-2:123456789012:function:orders")),
        (Role.BREAKER, _asks("ec2:DeleteNetworkAcl", "", ACL)),
        (Role.BREAKER, _asks("rds:DeleteDBCluster", "", "arn:aws:rds:us-west-2:123456789012:cluster:drill-a")),
        (Role.OBSERVER, _asks("lambda:PutFunctionConcurrency", "", "arn:aws:lambda:us-west-2:1:function:drill-a")),
        (Role.PROVISIONER, _asks("s3:DeleteBucket", "", "arn:aws:s3:::customers")),
        (Role.PROVISIONER, _asks("iam:PutRolePolicy", "", "arn:aws:iam::123456789012:role/admin")),
        (Role.PROVISIONER, Request("s3:DeleteBucket", "", "arn:aws:s3:::drill-a", {"aws:RequestedRegion": ("eu-west-1",)})),
        (Role.PROVISIONER, Request("iam:PassRole", "", "arn:aws:iam::1:role/drill-a", {"iam:PassedToService": ("ec2",)})),
    ],
)  # fmt: skip
def test_what_is_nobody_of_the_runs_is_refused(role: Role, request_: Request) -> None:
    """Others' names, what carries no tag, other regions, roles passed elsewhere, another role's work."""
    assert decide(policies(role, WIDEST), request_) is not Decision.ALLOWED


def test_a_mark_narrows_what_may_be_broken() -> None:
    """Where the owner has tagged what may be broken, a breaker changes that and what the run made, and nothing else."""
    own = policies(Role.BREAKER, Narrowing(REGIONS, "*", TAG, ("dr-drill", "may-break")))
    function = "arn:aws:lambda:us-west-2:123456789012:function:orders"
    throttle = "lambda:PutFunctionConcurrency"
    marked = {"aws:ResourceTag/dr-drill": ("may-break",), "aws:RequestedRegion": ("us-west-2",)}
    assert decide(own, Request(throttle, "", function, marked)) is Decision.ALLOWED
    assert decide(own, _asks(throttle, "", function)) is Decision.IMPLICIT_DENY
    assert decide(own, Request("ec2:RevokeSecurityGroupIngress", "", "arn:aws:ec2:us-west-2:1:security-group/sg-1", marked)) is (
        Decision.ALLOWED
    )  # fmt: skip
    made = {f"aws:ResourceTag/{TAG}": ("run-a",), "aws:RequestedRegion": ("us-west-2",)}
    assert decide(own, Request("ec2:DeleteNetworkAcl", "", ACL, made)) is Decision.ALLOWED


def test_every_dependent_action_is_allowed_or_has_its_reason() -> None:
    """What AWS's reference says that an action depends on is allowed to the same role, or stands here with why not."""
    reasons = {
        "iam:PassRole": "no role is passed by it here",
        "cloudfront:CreateConnectionGroup": "for distribution tenants",
        "ec2:DescribeVpcs": "for private hosted zones",
        "iam:CreateServiceLinkedRole": "for multi-Region keys",
        "kms:PutKeyPolicy": "the key has the default policy",
        "lambda:PassCapacityProvider": "no capacity provider is used",
        "rds:CreateDBInstance": "for Multi-AZ DB clusters",
        "rds:CreateDBClusterSnapshot": "no final snapshot is taken",
        "rds:CreateDBSnapshot": "no final snapshot is taken",
        "rds:CreateTenantDatabase": "for Oracle",
        "rds:DeleteTenantDatabase": "for Oracle",
        "secretsmanager:CreateSecret": "for passwords that RDS manages",
        "secretsmanager:TagResource": "for passwords that RDS manages",
        "application-autoscaling:TagResource": "no tags are given",
        "kms:TagResource": "given to keys by provisioning alone",
        "rds:AddTagsToResource": "given by provisioning alone",
        "ec2:CreateTags": "given by whoever makes it",
    }
    for role in Role:
        own = needs()[role]
        asked = set(own) - {"servicequotas:GetServiceQuota"}  # it depends on those of the services that are asked about
        lacking = {dependent for action in asked for dependent in reference().action(action).depends} - set(own)
        assert lacking <= set(reasons), (role, lacking - set(reasons))


def test_reference_has_nothing_that_is_not_used() -> None:
    """The table that is kept is small: the actions of the policies alone."""
    assert set(reference().actions) == {action for own in needs().values() for action in own}


def test_scopes_are_told_apart_by_name() -> None:
    """No two have the same name, and each is used."""
    assert len(BY_NAME) == len(SCOPES)
    used = {scope for own in needs().values() for scopes in own.values() for scope in scopes}
    assert used <= set(BY_NAME)


def _called_operations() -> Iterator[tuple[str, str]]:
    """(file, name) for each attribute in the harness that is called, or passed to be called, as boto3 names an operation."""
    for room in ("provision", "faults", "safety", "targets", "preflight"):
        for path in sorted((ROOT / "infra_fixtures" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute | ast.Call):
                    yield str(path.relative_to(ROOT)), node.attr
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(path.relative_to(ROOT)), node.value


SERVICES = (
    "acm", "apigateway", "application-autoscaling", "cloudfront", "cloudwatch", "ec2", "events", "iam", "kms", "lambda", "logs",
    "rds", "route53", "s3", "secretsmanager", "resourcegroupstaggingapi", "service-quotas", "sns", "sts",
)  # fmt: skip

NOT_OURS = frozenset({"assume_role", "create_connection", "get_safety_lever", "list_account_aliases"})
"""Names of boto3 that are others' too, and what is asked with the credentials themselves, before any role is assumed."""


def test_every_operation_that_the_code_names_is_allowed_to_a_role() -> None:
    """A call that no drill makes, such as one that only a second provisioning needs, is in no recording: the code is read."""
    operations: dict[str, set[tuple[str, str]]] = {}
    for service in SERVICES:
        for operation in get_session().get_service_model(service).operation_names:
            operations.setdefault(xform_name(operation), set()).add((service, operation))
    allowed = {action for own in needs().values() for action in own}
    unknown = {
        f"{name} ({path})"
        for path, name in _called_operations()
        if name in operations and name not in NOT_OURS
        if not any(
            set(actions_of(Call(service, operation, "", {}))) <= allowed for service, operation in operations[name]
        )
    }
    assert not unknown
