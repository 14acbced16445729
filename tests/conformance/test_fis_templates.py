"""The lane that plays a library of FIS templates: what it takes for a template, and what it makes of an experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.fis_templates import documents_below, filled, judged, main, templates_below

DOCUMENT = "schemaVersion: '0.3'\nmainSteps:\n- name: rest\n  action: aws:sleep\n  inputs: {Duration: PT1M}\n"


def test_templates_and_documents_are_told_apart(tmp_path: Path) -> None:
    """By what is in them; policies and whatever else lies there are neither."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "template.json").write_text(json.dumps({"actions": {}, "roleArn": "r"}))
    (tmp_path / "one" / "policy.json").write_text('{\n\t"Version": "2012-10-17", "Statement": []}')
    (tmp_path / "one" / "document.yaml").write_text(DOCUMENT)
    assert [path.name for path, _ in templates_below([tmp_path])] == ["template.json"]
    ((home, [(path, content)]),) = documents_below([tmp_path]).items()
    assert (home, path.name) == (str(tmp_path / "one"), "document.yaml")
    assert json.loads(content)["mainSteps"][0]["inputs"] == {"Duration": "PT1M"}


def test_placeholders_are_filled_in() -> None:
    """Account, region, role and the rest; references of documents stay."""
    text = "arn:aws:iam::<YOUR AWS ACCOUNT>:role/<YOUR ROLE NAME> <REGION> <YOUR SUBNET ID> {{ duration }}"
    assert (
        filled(text, "123456789012") == "arn:aws:iam::123456789012:role/fis-lane us-east-1 placeholder {{ duration }}"
    )


@pytest.mark.parametrize(
    ("status", "actions", "outcome"),
    [
        ("completed", {"cut": "completed", "wait": "completed"}, "executed"),
        ("completed", {"cut": "completed", "other": "skipped"}, "executed"),
        ("completed", {"cut": "skipped", "wait": "completed"}, "nothing"),
        ("failed", {"cut": "failed"}, "refused"),
        ("stopped", {"cut": "stopped"}, "refused"),
    ],
)
def test_an_experiment_that_did_nothing_is_told_apart(status: str, actions: dict[str, str], outcome: str) -> None:
    """A wait is nothing done, and a skipped action neither."""
    said: dict[str, Any] = {
        "state": {"status": status, "reason": "why"},
        "actions": {
            name: {"actionId": f"aws:fis:{name}", "state": {"status": state}} for name, state in actions.items()
        },
    }
    assert judged("t", said).outcome == outcome


def test_without_a_directory_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """And starts nothing."""
    assert (main([]), main([str(tmp_path / "nowhere")])) == (2, 2)
    assert "usage: " in capsys.readouterr().err
