"""A drill whose fault is an experiment of FIS: judged and healed, never believed where an action did not take place, and
ended by whoever is left once its harness was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL, has_ended, open_entries
from infra_fixtures.safety.sweep import processes_of
from tests.scenarios.conftest import ATTEMPTS, PATIENT

SCENARIO = REPOSITORY / "docs/fis/isolated_functions.toml"
TEMPLATE = REPOSITORY / "docs/fis/isolated_functions.template.json"
BEGINS_WITHIN_S, ENDS_WITHIN_S, GONE_WITHIN_S = 300.0, 600.0, 10.0
WATCHDOG = "infra_fixtures.watchdog"
NOT_STEADY = "drill.refused"
"""What a drill says that has broken nothing, as on a machine that is busy with other things."""

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]


class Play:
    """`python -m scenarios play` of a file, in a process of its own."""

    def __init__(self, file: Path, directory: Path, settle_s: float) -> None:
        objectives = directory / "objectives.toml"
        objectives.write_text(PATIENT.format(settle_s=settle_s))
        self.runs_dir, self._output = directory / "runs", directory / "output.txt"
        words = [sys.executable, "-m", "scenarios", "play", str(file), "--objectives", str(objectives)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*words, "--runs-dir", str(self.runs_dir)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._output.read_text(errors="replace")

    @property
    def run(self) -> Path:
        """The directory of its run."""
        (journal,) = (p for p in self.runs_dir.glob(f"*/{JOURNAL}") if not p.parent.is_symlink())
        return journal.parent

    def takes_effect(self) -> bool:
        """Wait until the fault took effect; False where the drill refused to break what was not steady."""

        def decided() -> bool:
            return "fault.effective" in self.said or self.process.poll() is not None

        wait_until(decided, what="the experiment to take effect", timeout_s=BEGINS_WITHIN_S)
        assert "fault.effective" in self.said or NOT_STEADY in self.said, self.said[-3000:]
        return "fault.effective" in self.said

    def kill(self, *others: int) -> None:
        """SIGKILL it, and those as well, at once."""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in (self.process.pid, *others):
                os.kill(pid, number)
        self.process.wait()

    def watchdogs(self) -> list[int]:
        """Its watchdog's process id."""
        children = psutil.Process(self.process.pid).children()
        return [c.pid for c in children if WATCHDOG in c.cmdline()]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Play]]:
    """Starts one; if it still runs at the end it is killed."""
    started: list[Play] = []

    def start(file: Path = SCENARIO, settle_s: float = 60.0) -> Play:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Play(file, directory, settle_s))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_it_is_judged_and_nothing_is_left(play: Callable[..., Play]) -> None:
    """MET, with a mark for each state of the experiment, and every undo done."""
    for _ in range(ATTEMPTS):
        one = play(settle_s=3.0)
        if one.process.wait(timeout=ENDS_WITHIN_S) == 0 or "no steady state" not in one.said:
            break
    assert one.process.returncode == 0, one.said[-3000:]
    marks = [json.loads(line) for line in (one.run / "scenarios/isolated_functions/marks.jsonl").open()]
    actions = {
        m["subject"].rpartition("/")[2]: m["detail"].partition(" ")[0] for m in marks if m["event"] == "fis.action"
    }
    assert actions == {"isolate-a": "stopped", "isolate-b": "stopped"}
    assert [m["detail"].partition(":")[0] for m in marks if m["event"] == "fis.experiment"] == ["running", "stopped"]
    assert has_ended(one.run / JOURNAL)
    assert not list(processes_of(one.run.name))


def test_a_skipped_action_leaves_the_drill_unproven(play: Callable[..., Play], tmp_path: Path) -> None:
    """Clients felt the fault, the standby took over, and one action found no target: what was to be proved was not."""
    template: dict[str, Any] = json.loads(TEMPLATE.read_text())
    template["experimentOptions"]["emptyTargetResolutionMode"] = "skip"
    template["targets"]["subnet-b"]["resourceTags"] = {"nobody": "has this"}
    file, scenario = tmp_path / "partly.json", tmp_path / "partly.toml"
    file.write_text(json.dumps(template))
    text = SCENARIO.read_text().replace("docs/fis/isolated_functions.template.json", str(file))
    scenario.write_text(f"{text}allow_empty_targets = true\n")
    one = play(scenario, settle_s=3.0)
    assert one.process.wait(timeout=ENDS_WITHIN_S) == 1, one.said[-3000:]
    verdict = json.loads((one.run / "scenarios/partly/verdict.json").read_text())
    assert verdict["verdict"] == "UNPROVEN"
    assert any("isolate-b (aws:network:disrupt-connectivity) is skipped" in doubt for doubt in verdict["doubts"])
    assert has_ended(one.run / JOURNAL)


def test_the_watchdog_ends_the_experiment_of_a_killed_harness(play: Callable[..., Play]) -> None:
    """SIGKILL in the middle of it."""
    one = _struck(play)
    assert open_entries(one.run / JOURNAL)
    one.kill()
    _await_gone(one)


def test_heal_ends_the_experiment_of_a_killed_harness_and_watchdog(play: Callable[..., Play]) -> None:
    """Nobody is left: the command does it."""
    one = _struck(play)
    one.kill(*one.watchdogs())
    time.sleep(1.0)
    assert open_entries(one.run / JOURNAL), "nobody has healed it"
    words = [sys.executable, "-m", "infra_fixtures", "heal", "--runs-dir", str(one.runs_dir)]
    healed = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert healed.returncode == 0, healed.stderr
    assert "healed fis_experiment" in healed.stdout
    _await_gone(one)


def _struck(play: Callable[..., Play]) -> Play:
    """One in the middle of its fault; where the machine was too busy for a steady state, another one."""
    for _ in range(ATTEMPTS):
        one = play()
        if one.takes_effect():
            return one
        one.process.wait(timeout=ENDS_WITHIN_S)
    pytest.fail(f"no steady state in {ATTEMPTS} drills: {one.said[-3000:]}")


def _await_gone(one: Play) -> None:
    """Its journal says that all is undone, and none of its processes is there."""
    journal, run = one.run / JOURNAL, one.run.name
    wait_until(
        lambda: has_ended(journal) and not list(processes_of(run)), what="all of it to be gone", timeout_s=GONE_WITHIN_S
    )
    assert open_entries(journal) == []
