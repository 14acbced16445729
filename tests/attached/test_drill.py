"""A whole drill of an attached system by the command line: broken and healed by its owner's commands, judged, left as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drill.history import History
from infra_fixtures.run_layout import REPOSITORY, RunLayout
from tests.attached.scripted import Scripted, scripted

OBJECTIVES = """
[default]
rto_s = 20
rpo_s = 1
lost_after_fault = 0
deadline_s = 1.0
window_s = 1.0
settle_s = 1.0
availability = 0.9
lag_p99_s = "none"
"""
SCHEDULE = """
baseline_s = 2.0
cohorts = { follower = 1.0 }

[[faults]]
fault = "described"
"""


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """It stands."""
    with scripted(layout, tmp_path) as stands:
        yield stands


def play(system: Scripted, topology: Path, schedule: str = SCHEDULE, *more: str) -> subprocess.CompletedProcess[str]:
    """`python -m scenarios play` on it."""
    (system.directory / "objectives.toml").write_text(OBJECTIVES)
    (system.directory / "drill.toml").write_text(schedule)
    return subprocess.run(
        [
            sys.executable, "-m", "scenarios", "play", str(system.directory / "drill.toml"), "--target", "attach",
            "--topology", str(topology), "--objectives", str(system.directory / "objectives.toml"),
            "--runs-dir", str(system.directory / "runs"), *more,
        ],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, env={**os.environ, "DRILL_TOLD": "hush-hush"},
    )  # fmt: skip


def run_of(system: Scripted) -> Path:
    """The directory of the only run."""
    (found,) = [p for p in (system.directory / "runs").iterdir() if p.is_dir() and not p.is_symlink()]
    return found


def verdict_of(system: Scripted) -> dict[str, Any]:
    """The verdict of its only scenario."""
    told: dict[str, Any] = json.loads((run_of(system) / "scenarios" / "drill" / "verdict.json").read_text())
    return told


@pytest.mark.slow
def test_it_is_broken_healed_and_judged(system: Scripted, tmp_path: Path) -> None:
    """The primary is killed by a command, the name follows, nothing is lost: MET, with the true RTO in its bracket, and all
    as before.

    Records of others in its store are none of the drill's."""
    others = [{"key": 5, "amount": 7}, {"key": "a user's", "amount": 1}]
    (tmp_path / "store.jsonl").write_text("".join(json.dumps(record) + "\n" for record in others))
    done = play(system, system.description())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found, directory = verdict_of(system), run_of(system)
    assert found["verdict"] == "MET"
    assert found["pace"] == 1
    rto, figures = found["measurements"]["rto_s"], found["measurements"]
    assert system.flip_s <= rto["upper"]
    assert rto["lower"] <= rto["value"] <= rto["upper"] < 10
    assert figures["lost_writes"]["value"] == 0
    assert figures["acked_writes"]["value"] > 20
    history = History.load(directory / "scenarios" / "drill")
    assert history.ops is not None
    assert set(history.ops["region"].drop_nulls()) == {"left", "right"}
    told = json.loads((directory / "run.json").read_text())
    assert told["fidelity"]["application"].startswith("REAL: attached, not ours")
    assert "kill -9" in (directory / "commands.log").read_text()
    assert system.answers(system.primary)
    assert system.names.addresses == (system.primary,)
