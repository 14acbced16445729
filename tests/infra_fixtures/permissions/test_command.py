"""`python -m infra_fixtures policies`: what it prints, and what it refuses."""

from __future__ import annotations

import json

import pytest

from infra_fixtures.__main__ import main
from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import COMMITTED


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["policies", *arguments]) == 0
    return capsys.readouterr().out


def test_every_role_is_printed_as_it_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options: one JSON object whose documents are the files in the repository."""
    told = json.loads(_printed(capsys))
    assert set(told) == {role.value for role in Role}
    for role, documents in told.items():
        files = sorted(COMMITTED.glob(f"{role}-*.json"))
        assert documents == [json.loads(path.read_text()) for path in files]


def test_terraform_has_a_managed_policy_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """In Terraform's JSON syntax, each with its document as a string."""
    made = json.loads(_printed(capsys, "--role", "provisioner", "--terraform"))["resource"]["aws_iam_policy"]
    assert list(made) == [f"failover_drill_provisioner_{n}" for n in range(1, len(made) + 1)]
    for one in made.values():
        assert one["name"].startswith("failover-drill-provisioner-")
        assert json.loads(one["policy"])["Version"] == "2012-10-17"


def test_options_narrow_every_arn(capsys: pytest.CaptureFixture[str]) -> None:
    """The account and the pattern of names stand in each ARN that has them; regions and zone are conditions."""
    narrow = ("--account", "123456789012", "--name", "drill-mine-*", "--region", "eu-west-1", "--region", "eu-west-3")
    text = _printed(capsys, "--role", "provisioner", *narrow, "--zone", "dr.example.")
    assert "arn:aws:lambda:*:123456789012:function:drill-mine-*" in text
    assert "drill-*" not in text
    regions = {
        tuple(statement["Condition"]["StringEquals"]["aws:RequestedRegion"])
        for document in json.loads(text)["provisioner"]
        for statement in document["Statement"]
        if "aws:RequestedRegion" in statement.get("Condition", {}).get("StringEquals", {})
    }
    assert regions == {("eu-west-1", "eu-west-3")}
    assert '"*.dr.example"' in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--account", "12"], "--account 12 is no account"),
        (["--region", "nowhere"], "--region nowhere is no region"),
        (["--tag", "key"], "--tag key is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 2, and nothing printed."""
    assert main(["policies", *arguments]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
