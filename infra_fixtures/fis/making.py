"""What one injection makes in AWS: perhaps a role, a template, and two experiments.

Each id is journalled before the next call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until
from infra_fixtures.fis.experiment import State, await_preview, targets_of
from infra_fixtures.fis.permissions import permissions, trust
from infra_fixtures.fis.undoing import POLICY, delete_template, stop_one
from infra_fixtures.safety.tag_lookups import Clients
from infra_fixtures.safety.undo import Learn

ROLE_KNOWN_WITHIN_S = 30.0
"""A new role is known to the services of AWS after some seconds
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency)."""


class Maker:
    """Makes them in one region with these tags; `role`: the name of the role to make, empty: none.

    The tags and the role's name are in the journal before anything is made, so that all of it is found by them.
    """

    def __init__(self, client: Clients, region: str, tags: Mapping[str, str], role: str) -> None:
        self._fis, self._iam = client("fis", region), client("iam", None)
        self._region = region
        self._tags = dict(tags)
        """Also of experiments: a guard that wants a tag finds that of the template on them."""
        self._role = role

    def make_template(self, template: Mapping[str, Any], learn: Learn) -> str:
        """A template of the file; its role before it."""
        if self._role:
            self._make_role(template)
        made = self._fis.create_experiment_template(**{**template, "tags": self._tags})["experimentTemplate"]
        learn(delete_template(self._region, made["id"]))
        return str(made["id"])

    def preview(self, template: str, learn: Learn) -> dict[str, list[str]]:
        """What its targets resolve to; UnusableInput where FIS cannot resolve them."""

        def resolved() -> tuple[dict[str, list[str]], ...]:
            started = self._started(template, learn, "skip-all")
            state = await_preview(self._fis, started)
            if state.status == "completed":
                return (targets_of(self._fis, started),)
            if not self._role or "role" not in state.reason.lower():
                raise UnusableInput(f"FIS could not resolve the targets of {template}: {state}")
            refused[:] = [str(state)]
            return ()

        refused: list[str] = []
        try:
            return wait_until(resolved, what="the new role to be known", timeout_s=ROLE_KNOWN_WITHIN_S, every_s=2.0)[0]
        except WaitTimeout as e:
            raise UnusableInput(f"FIS could not resolve the targets of {template}: {', '.join(refused)}") from e

    def start(self, template: str, learn: Learn) -> str:
        """The experiment's id."""
        return self._started(template, learn, "run-all")

    def _started(self, template: str, learn: Learn, mode: str) -> str:
        told = self._fis.start_experiment(
            experimentTemplateId=template, experimentOptions={"actionsMode": mode}, tags=self._tags
        )
        experiment = State.of(told["experiment"]).id
        learn(*stop_one(self._region, experiment))
        return experiment

    def _make_role(self, template: Mapping[str, Any]) -> None:
        account = template["roleArn"].split(":")[4]
        self._iam.create_role(
            RoleName=self._role,
            AssumeRolePolicyDocument=json.dumps(trust(account, self._region)),
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
        )
        allowed = permissions(template, account, self._region)
        self._iam.put_role_policy(RoleName=self._role, PolicyName=POLICY, PolicyDocument=json.dumps(allowed))
