"""Game days by other systems' schedulers: each runs commands that there are, heals whatever happens, and keeps the records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = [
    DEPLOY / "gameday.cloudformation.yaml",
    DEPLOY / "gitlab-ci.yml",
    DEPLOY / "Jenkinsfile",
    ROOT / ".github/workflows/gameday-aws.yml",
]


class _CloudFormation(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short functions, each read as a mapping of its name."""


def _function(loader: Any, tag: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    return {tag: loader.construct_sequence(node, deep=True)}


_CloudFormation.add_multi_constructor("!", _function)


def _template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(FILES[0].read_text(), Loader=_CloudFormation)
    return loaded


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_each_drills_with_consent_heals_and_keeps_records(path: Path) -> None:
    """No game day without the file of what is allowed and the account by name; `heal` comes after it in any case."""
    text = path.read_text()
    drill = text.index("-m pytest scenarios")
    assert "--gameday" in text[drill:]
    assert "--yes" in text[drill:]
    assert "-m infra_fixtures heal" in text[drill:]
    assert "reports/runs" in text[drill:]
    assert not re.search(r"AKIA|aws_secret_access_key", text, re.IGNORECASE)


def test_a_game_day_that_takes_too_long_leaves_time_to_heal() -> None:
    """What ends it ends it alone, before the job as a whole is ended."""
    gitlab = yaml.safe_load(FILES[1].read_text())["game day"]
    assert gitlab["timeout"] == "4 hours"
    assert (gitlab["variables"]["RUNNER_SCRIPT_TIMEOUT"], gitlab["variables"]["RUNNER_AFTER_SCRIPT_TIMEOUT"]) == (
        "3h",
        "50m",
    )
    github = yaml.safe_load(FILES[3].read_text())["jobs"]["gameday"]
    (step,) = [step for step in github["steps"] if step.get("name") == "Game day"]
    assert step["timeout-minutes"] <= github["timeout-minutes"] - 60
    project = _template()["Resources"]["GameDay"]["Properties"]
    assert "timeout --signal=INT --kill-after=20m 3h" in project["Source"]["BuildSpec"]
    assert project["TimeoutInMinutes"] == 240
    jenkins = FILES[2].read_text()
    assert jenkins.index("timeout(") > jenkins.index("stage('Game day')")


def test_a_new_schedule_breaks_nothing_by_itself() -> None:
    """It is turned on by a person; a missed one is not made up for; two never overlap."""
    template = _template()
    assert template["Parameters"]["Enabled"]["Default"] == "DISABLED"
    when = template["Resources"]["When"]["Properties"]
    assert when["State"] == {"Ref": "Enabled"}
    assert when["Target"]["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert template["Resources"]["GameDay"]["Properties"]["ConcurrentBuildLimit"] == 1


def test_records_cannot_be_deleted_and_outlive_the_stack() -> None:
    """Evidence is kept under a compliance lock."""
    bucket = _template()["Resources"]["Records"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert bucket["Properties"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Mode"] == "COMPLIANCE"


def test_no_role_may_do_everything() -> None:
    """Every statement names its actions, and everything but services' own statements a resource."""
    for name, resource in _template()["Resources"].items():
        for policy in resource.get("Properties", {}).get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in str(statement["Action"]), name
                assert statement["Resource"] != "*", name


def test_the_image_holds_what_the_lock_file_says() -> None:
    """Nothing unpinned is installed, and it does not run as root."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line and "run.lock" in line for line in installs)
    assert "USER nobody" in lines
