"""Nothing is made in an account whose roles lack something: the preflight names it first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra_fixtures.__main__ import main
from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import NAME, REGIONS, TAG
from infra_fixtures.permissions.policies import Narrowing, policies
from infra_fixtures.targets.emulated_account import EmulatedAccount
from tests.infra_fixtures.permissions.whole_life import ANYONE
from tests.infra_fixtures.preflight.edited import without
from tests.infra_fixtures.targets.aws.inventory import inventory

LACKING = "rds:CreateGlobalCluster"


@pytest.fixture
def roles(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The three roles with the generated policies, the provisioner's without one action; the options that name them."""
    for name, value in account.credentials.items():
        monkeypatch.setenv(name, value)
    iam = account.client("iam")
    given = []
    for role in Role:
        iam.create_role(RoleName=role.value, AssumeRolePolicyDocument=ANYONE)
        for number, document in enumerate(without(policies(role, Narrowing(REGIONS, NAME, TAG)), LACKING)):
            text = json.dumps(document)
            iam.put_role_policy(RoleName=role.value, PolicyName=f"drill-{number}", PolicyDocument=text)
        given += [f"--aws-{role.value}-role", f"arn:aws:iam::{account.account_id}:role/{role.value}"]
    yield [*account.arguments, "--aws-hours", "1", *given]
    for role in Role:
        for name in iam.list_role_policies(RoleName=role.value)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role.value, PolicyName=name)
        iam.delete_role(RoleName=role.value)


@pytest.mark.parametrize("command", ["up", "preflight"])
def test_a_role_that_lacks_something_is_refused_before_anything_is_made(
    account: EmulatedAccount, roles: list[str], command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the action's name and the role's; nothing is made, and no plan is asked about."""
    before = inventory(account)
    assert main([command, "--runs-dir", str(tmp_path), *roles]) == 2
    said = capsys.readouterr()
    assert (
        f"permissions of the provisioner: arn:aws:iam::{account.account_id}:role/provisioner may not {LACKING} on"
        in said.err
    )
    assert "permissions of the breaker" not in said.err
    assert inventory(account) == before
    assert not list(tmp_path.rglob("aws-ledger.jsonl"))
