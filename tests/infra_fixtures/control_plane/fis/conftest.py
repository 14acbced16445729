"""A control plane whose FIS runs a minute in 0.6 s, and what an experiment needs there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient, planned_layout, run_control_plane

PACE = 100.0
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ENDED = {"completed", "stopped", "failed", "cancelled"}
WAIT = {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[RunLayout]:
    """The layout of a running control plane at the fastest pace."""
    with planned_layout() as layout:
        yield from run_control_plane(msgspec.structs.replace(layout, pace=PACE))


def role_for(iam: Any, name: str, trust: Mapping[str, Any]) -> str:
    """Make a role that may do everything, for whom the trust policy lets assume it; its ARN."""
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    return str(made["Role"]["Arn"])


@pytest.fixture(scope="module")
def role(aws_client: AwsClient) -> str:
    """The ARN of a role that FIS may assume."""
    return role_for(aws_client("iam"), "experiments", TRUST)


class Experiments:
    """Templates and experiments in a region, in few words."""

    def __init__(self, fis: Any, role: str) -> None:
        self.fis = fis
        self.role = role

    def template(self, actions: Mapping[str, Any], targets: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Create a template; its id."""
        asked = {
            "description": "a test",
            "roleArn": self.role,
            "stopConditions": [{"source": "none"}],
            "actions": actions,
            "targets": targets or {},
            **more,
        }
        return str(self.fis.create_experiment_template(**asked)["experimentTemplate"]["id"])

    def start(self, actions: Mapping[str, Any], targets: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Create a template and start an experiment; the experiment's id."""
        template = self.template(actions, targets, **more)
        return str(self.fis.start_experiment(experimentTemplateId=template)["experiment"]["id"])

    def get(self, experiment: str) -> Any:
        """What GetExperiment says."""
        return self.fis.get_experiment(id=experiment)["experiment"]

    def ended(self, experiment: str, timeout_s: float = 15) -> Any:
        """What it says once the experiment has ended."""
        self.reaches(experiment, ENDED, timeout_s)
        return self.get(experiment)

    def reaches(self, experiment: str, states: set[str], timeout_s: float = 15) -> None:
        """Wait until the experiment is in one of these states."""
        wait_until(
            lambda: self.get(experiment)["state"]["status"] in states,
            what=f"{experiment}: {states}",
            timeout_s=timeout_s,
        )


@pytest.fixture(scope="module")
def experiments(aws_client: AwsClient, role: str) -> Experiments:
    """Experiments in us-east-1."""
    return Experiments(aws_client("fis"), role)


def states(experiment: Mapping[str, Any]) -> dict[str, str]:
    """The status of each action."""
    return {name: action["state"]["status"] for name, action in experiment["actions"].items()}


def refused(call: Callable[[], object], code: str, words: str) -> None:
    """The call must be refused with that code, in a message with these words."""
    with pytest.raises(Exception, match=words) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code  # type: ignore[attr-defined]
