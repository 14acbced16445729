"""Fault Injection Service: what a template and an experiment are, without a fault being injected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drill.wait import wait_until
from tests.conformance.backends import Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused

WAIT = {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}}
CUT = {
    "actionId": "aws:network:disrupt-connectivity",
    "parameters": {"duration": "PT1M", "scope": "all"},
    "targets": {"Subnets": "subnets"},
}
ENDED = {"completed", "stopped", "failed", "cancelled"}


@pytest.fixture
def fis(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("fis")


@pytest.fixture
def role(aws: Backend, unique: Names) -> str:
    """A role that FIS may assume."""
    trust = {"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = aws.client("iam").create_role(RoleName=unique("fis"), AssumeRolePolicyDocument=policy)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    aws.client("iam").put_role_policy(RoleName=unique("fis"), PolicyName="all", PolicyDocument=json.dumps(everything))
    return str(made["Role"]["Arn"])


def _template(fis: Any, role: str, actions: Any, targets: Any = None, **more: Any) -> str:
    asked = {
        "description": "conformance", "roleArn": role, "stopConditions": [{"source": "none"}], "actions": actions,
        "targets": targets or {}, **more,
    }  # fmt: skip
    return str(fis.create_experiment_template(**asked)["experimentTemplate"]["id"])


def _ended(fis: Any, template: str, **options: str) -> Any:
    started = fis.start_experiment(experimentTemplateId=template, experimentOptions=options)["experiment"]["id"]

    def ended() -> bool:
        return fis.get_experiment(id=started)["experiment"]["state"]["status"] in ENDED

    wait_until(ended, what=started, timeout_s=20)
    return fis.get_experiment(id=started)["experiment"]


def _tagged(value: str) -> Any:
    return {"subnets": {"resourceType": "aws:ec2:subnet", "resourceTags": {"fis": value}, "selectionMode": "ALL"}}


def test_a_template_is_described_as_created(fis: Any, role: str) -> None:
    """With the options' defaults: one account, and an empty target fails the experiment."""
    said = fis.get_experiment_template(id=_template(fis, role, {"wait": WAIT}))["experimentTemplate"]
    assert said["actions"] == {"wait": WAIT}
    assert said["experimentOptions"] == {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"}


def test_an_action_must_exist_and_have_its_targets(fis: Any, role: str) -> None:
    """Unknown actions, unexpected targets and durations below a minute are refused."""
    with refused("ResourceNotFoundException"):
        _template(fis, role, {"a": {"actionId": "aws:moon:eclipse"}})
    with refused("ValidationException"):
        _template(fis, role, {"a": {**CUT, "targets": {"Clusters": "subnets"}}}, _tagged("x"))
    with refused("ValidationException"):
        _template(fis, role, {"a": {**WAIT, "parameters": {"duration": "PT10S"}}})


def test_twenty_actions_and_ten_in_parallel(fis: Any, role: str) -> None:
    """More are refused."""
    with refused("ServiceQuotaExceededException"):
        _template(fis, role, {f"a{n}": WAIT for n in range(21)})


def test_skip_all_resolves_targets_and_does_nothing(aws: Backend, fis: Any, role: str, unique: Names) -> None:
    """The preview of an experiment: its actions are skipped, its targets told, and the network is as it was."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "fis", "Value": unique("me")}])
    ended = _ended(fis, _template(fis, role, {"cut": CUT}, _tagged(unique("me"))), actionsMode="skip-all")
    assert ended["state"]["status"] == "completed"
    assert ended["actions"]["cut"]["state"]["status"] == "skipped"
    (resolved,) = fis.list_experiment_resolved_targets(experimentId=ended["id"])["resolvedTargets"]
    assert resolved["targetInformation"]["arn"].endswith(subnet)
    asked = [{"Name": "vpc-id", "Values": [vpc]}]
    assert len(ec2.describe_network_acls(Filters=asked)["NetworkAcls"]) == 1


def test_an_action_without_targets_is_skipped_or_fails(fis: Any, role: str, unique: Names) -> None:
    """As emptyTargetResolutionMode says; skipped, the experiment completes all the same."""
    nobody = _tagged(unique("nobody"))
    assert _ended(fis, _template(fis, role, {"cut": CUT}, nobody))["state"]["status"] == "failed"
    skipping = {"emptyTargetResolutionMode": "skip"}
    ended = _ended(fis, _template(fis, role, {"cut": CUT}, nobody, experimentOptions=skipping))
    assert (ended["state"]["status"], ended["actions"]["cut"]["state"]["status"]) == ("completed", "skipped")


def test_a_role_that_fis_may_not_assume_fails_the_experiment(aws: Backend, fis: Any, unique: Names) -> None:
    """Nothing is done in its name."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = aws.client("iam").create_role(RoleName=unique("other"), AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    assert _ended(fis, _template(fis, made, {"wait": WAIT}))["state"]["status"] == "failed"


def test_an_engaged_safety_lever_cancels_what_is_started(fis: Any, role: str) -> None:
    """And lets it run again once it is disengaged."""
    template = _template(fis, role, {"wait": WAIT})
    fis.update_safety_lever_state(id="default", state={"status": "engaged", "reason": "conformance"})
    try:
        assert _ended(fis, template)["state"]["status"] == "cancelled"
    finally:
        fis.update_safety_lever_state(id="default", state={"status": "disengaged", "reason": "conformance, over"})
    started = fis.start_experiment(experimentTemplateId=template)["experiment"]["id"]
    fis.stop_experiment(id=started)
