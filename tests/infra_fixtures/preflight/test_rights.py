"""An account whose roles lack something is refused, and everything that is lacking is named, before anything is changed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber
from moto import mock_aws

from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import NAME, REGIONS, TAG
from infra_fixtures.permissions.needs import needs
from infra_fixtures.permissions.policies import Narrowing, policies
from infra_fixtures.permissions.samples import by_resource, samples
from infra_fixtures.preflight.check import Finding, Verdict
from infra_fixtures.preflight.flight import NotReady, require_ready
from infra_fixtures.preflight.rights import holder_of, rights
from infra_fixtures.safety.aws_operations import changes
from tests.infra_fixtures.preflight.edited import without

NARROWING = Narrowing(REGIONS, NAME, TAG)
SAMPLE = random.Random(20261128)
ACTIONS = [(role, action) for role, own in needs().items() for action in sorted(own)]
REMOVED = SAMPLE.sample(ACTIONS, 30)
ANYONE = json.dumps({"Version": "2012-10-17", "Statement": []})


def _not_allowed(**_: Any) -> tuple[Any, dict[str, Any]]:
    """What an account answers that does not let its policies be simulated, which moto cannot."""
    error = {"Code": "AccessDenied", "Message": "not authorized to perform: iam:SimulatePrincipalPolicy"}
    return AWSResponse("", 403, {}, None), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}


class Account:
    """An account on moto that has the three roles, each with the generated policies attached."""

    def __init__(self) -> None:
        self.iam: Any = boto3.client("iam", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.iam.meta.events.register("before-call.iam.SimulatePrincipalPolicy", _not_allowed)
        self.holders: dict[Role, str] = {}
        self._attached: dict[Role, list[str]] = {}
        for role in Role:
            name = f"failover-drill-{role.value}"
            made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=ANYONE)
            self.holders[role] = made["Role"]["Arn"]
            self._attached[role] = []
            for number, document in enumerate(policies(role, NARROWING)):
                policy = self.iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=json.dumps(document))
                self.iam.attach_role_policy(RoleName=name, PolicyArn=policy["Policy"]["Arn"])
                self._attached[role].append(policy["Policy"]["Arn"])

    def give(self, role: Role, documents: list[Any]) -> None:
        """Make these the role's policies."""
        for arn, document in zip(self._attached[role], documents, strict=True):
            for old in self.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if not old["IsDefaultVersion"]:
                    self.iam.delete_policy_version(PolicyArn=arn, VersionId=old["VersionId"])
            self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)

    def look(self) -> dict[str, Finding]:
        """The findings by check; only reading is allowed meanwhile."""

        def refuse(model: Any, **_: Any) -> None:
            assert not changes(model), f"the preflight changes something: {model.name}"

        self.iam.meta.events.register("before-call", refuse, unique_id="only reading")
        try:
            return {finding.check: finding for finding in rights(self.iam, self.holders, NARROWING)}
        finally:
            self.iam.meta.events.unregister("before-call", unique_id="only reading")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """One for all tests; each puts back what it took."""
    with mock_aws():
        yield Account()


def test_roles_with_the_generated_policies_may_do_everything(account: Account) -> None:
    """Nothing is lacking, and it is said that an organisation's policies were not seen."""
    found = account.look()
    assert {f.verdict for f in found.values()} == {Verdict.OK}
    assert all("an organisation's not seen" in finding.says for finding in found.values())
    require_ready(found.values())


@pytest.mark.parametrize(("role", "action"), REMOVED, ids=lambda value: getattr(value, "value", value))
def test_an_action_that_was_removed_is_named(account: Account, role: Role, action: str) -> None:
    """Thirty actions, sampled by a seed: the role that lacks one is refused by that action's name, and no other role is."""
    whole = policies(role, NARROWING)
    account.give(role, without(whole, action))
    try:
        found = account.look()
    finally:
        account.give(role, whole)
    lacking = found.pop(f"permissions of the {role.value}")
    assert lacking.verdict is Verdict.REFUSE
    named = {word for word in lacking.says.replace(",", " ").split() if ":" in word and not word.startswith("arn:")}
    assert named == {action}
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    with pytest.raises(NotReady, match=action):
        require_ready([lacking])


def test_a_deny_and_a_boundary_count(account: Account) -> None:
    """What another policy denies, or a permissions boundary does not allow, is lacking although it is allowed."""
    name = account.holders[Role.OBSERVER].rpartition("/")[2]
    deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "logs:*", "Resource": "*"}}
    account.iam.put_role_policy(RoleName=name, PolicyName="deny", PolicyDocument=json.dumps(deny))
    try:
        finding = account.look()["permissions of the observer"]
        assert finding.verdict is Verdict.REFUSE
        assert "logs:FilterLogEvents" in finding.says
        assert "denied" in finding.says
    finally:
        account.iam.delete_role_policy(RoleName=name, PolicyName="deny")
    limit = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": "rds:*", "Resource": "*"}}
    arn = account.iam.create_policy(PolicyName="limit", PolicyDocument=json.dumps(limit))["Policy"]["Arn"]
    account.iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=arn)
    try:
        finding = account.look()["permissions of the observer"]
        assert finding.verdict is Verdict.REFUSE
        assert "rds:DescribeGlobalClusters" in finding.says
    finally:
        account.iam.delete_role_permissions_boundary(RoleName=name)


def test_what_cannot_be_read_or_understood_is_unknown(account: Account) -> None:
    """A role that is not there, and a policy with a condition that this evaluation does not know, are never well."""
    nobody = "arn:aws:iam::123456789012:role/nobody"
    (finding,) = rights(account.iam, {Role.OBSERVER: nobody}, NARROWING)
    assert finding.verdict is Verdict.UNKNOWN
    assert "NoSuchEntity" in finding.says
    name = account.holders[Role.OBSERVER].rpartition("/")[2]
    somewhere = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    odd = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": somewhere},
    }
    account.iam.put_role_policy(RoleName=name, PolicyName="odd", PolicyDocument=json.dumps(odd))
    try:
        finding = account.look()["permissions of the observer"]
        assert finding.verdict is Verdict.UNKNOWN
        assert "IpAddress" in finding.says
    finally:
        account.iam.delete_role_policy(RoleName=name, PolicyName="odd")


def test_iam_itself_is_asked_first() -> None:
    """Where simulation is allowed its word counts: what it refuses is named with why, such as an organisation's policy."""
    iam = boto3.client("iam", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    arn = "arn:aws:iam::123456789012:role/observer"
    with Stubber(iam) as scripted:
        for (resource, context), together in by_resource(samples(Role.OBSERVER, NARROWING)).items():
            results = []
            for request in together:
                forbidden = request.action == "logs:FilterLogEvents"
                result: dict[str, Any] = {
                    "EvalActionName": request.action,
                    "EvalDecision": "implicitDeny" if forbidden else "allowed",
                    "OrganizationsDecisionDetail": {"AllowedByOrganizations": not forbidden},
                }
                results.append(result)
            entries = [
                {"ContextKeyName": key, "ContextKeyValues": list(values), "ContextKeyType": "string"}
                for key, values in context
            ]
            asked = {
                "PolicySourceArn": arn, "ActionNames": [r.action for r in together], "ResourceArns": [resource],
                "ContextEntries": entries,
            }  # fmt: skip
            scripted.add_response(
                "simulate_principal_policy", {"EvaluationResults": results, "IsTruncated": False}, asked
            )
        (finding,) = rights(iam, {Role.OBSERVER: arn}, NARROWING)
        scripted.assert_no_pending_responses()
    assert finding.verdict is Verdict.REFUSE
    assert "logs:FilterLogEvents" in finding.says
    assert "an organisation's policy does not allow it" in finding.says
    assert "s3:GetObject" not in finding.says


def test_the_holder_is_told_by_the_credentials() -> None:
    """A session of a role is that role's; the account's root user is named as such."""
    sts = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    for arn, holder in (
        ("arn:aws:sts::123456789012:assumed-role/drill/me", "arn:aws:iam::123456789012:role/drill"),
        ("arn:aws:iam::123456789012:user/me", "arn:aws:iam::123456789012:user/me"),
    ):
        with Stubber(sts) as scripted:
            scripted.add_response("get_caller_identity", {"Arn": arn}, {})
            assert holder_of(sts, "") == holder
    assert holder_of(sts, "given") == "given"
    (finding,) = rights(None, {Role.BREAKER: "arn:aws:iam::123456789012:root"}, NARROWING)
    assert finding.verdict is Verdict.OK
    assert "root" in finding.says
