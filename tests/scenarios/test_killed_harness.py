"""The harness, its watchdog, or both are killed at random moments: nothing stays behind, or it is named and then healed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL, has_ended, open_entries
from infra_fixtures.safety.lease import work_dirs
from infra_fixtures.safety.sweep import processes_of
from tests.scenarios.conftest import GameDay, Start

GONE_WITHIN_S = 5.0
LATEST_S = 30.0
"""By then a drill stands up, is broken, recovers, and is healed."""
SCENARIOS = ("primary_region_lost", "replication_cut_then_region_lost", "lambda_throttled", "planned_switchover")
SETTLE_S, ENDS_WITHIN_S = 3.0, 300.0
"""A drill whose harness lives goes on to its end, and may have to wait for its turn."""
WATCHDOG = "infra_fixtures.watchdog"
SEED = int(os.environ.get("DRILL_KILL_SEED", "0")) or random.randrange(2**31)
"""Printed with each failure, so that it can be had again."""
HARNESS, BOTH, ALONE = (int(n) for n in os.environ.get("DRILL_KILLS", "60,20,10").split(","))


@pytest.fixture
def moment_s(request: pytest.FixtureRequest) -> float:
    """When to kill, in seconds from the start: evenly spread, the same again for the same seed."""
    return random.Random(f"{SEED} {request.node.name}").uniform(0.3, LATEST_S)


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> str:
    """Which scenario is played."""
    return random.Random(f"{SEED} {request.node.name} scenario").choice(SCENARIOS)


@pytest.mark.nightly
@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", range(HARNESS))
def test_a_killed_harness_leaves_nothing(game_day: Start, moment_s: float, scenario: str, number: int) -> None:
    """SIGKILL: the watchdog ends and heals all of it within 5 s."""
    day = _killed(game_day, scenario, moment_s, lambda day: [day.process.pid])
    _await_gone(day, f"seed {SEED}, {scenario} killed after {moment_s:.2f} s")


@pytest.mark.nightly
@pytest.mark.timeout(200)
@pytest.mark.parametrize("number", range(BOTH))
def test_a_killed_harness_and_watchdog_are_named_and_healed(
    game_day: Start, moment_s: float, scenario: str, number: int
) -> None:
    """Nobody is left to heal: the next start names the run and refuses, and `heal` leaves nothing."""
    day = _killed(game_day, scenario, moment_s, lambda day: [day.process.pid, *_watchdogs(day)])
    where = f"seed {SEED}, {scenario} killed after {moment_s:.2f} s"
    runs = _runs(day)
    if not runs or has_ended(runs[0] / JOURNAL):
        _await_gone(day, where)
        return
    time.sleep(GONE_WITHIN_S)
    refused = _command("pytest", "scenarios", "--collect-only", "--runs-dir", str(day.runs_dir))
    assert refused.returncode == 4, f"{where}: {refused.stdout}{refused.stderr}"
    assert f"the run {runs[0].name} died" in refused.stderr + refused.stdout, where
    healed = _command("infra_fixtures", "heal", "--runs-dir", str(day.runs_dir))
    assert healed.returncode == 0, f"{where}: {healed.stdout}{healed.stderr}"
    _await_gone(day, where)


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(ALONE))
def test_a_killed_watchdog_is_seen_and_missed_by_nobody(
    game_day: Start, moment_s: float, scenario: str, number: int
) -> None:
    """The harness heals and tears down itself; a drill that went on without its watchdog is never MET."""
    day = _killed(game_day, scenario, moment_s, _watchdogs, settle_s=SETTLE_S)
    day.process.wait(timeout=ENDS_WITHIN_S)
    where = f"seed {SEED}, {scenario}: watchdog killed after {moment_s:.2f} s"
    _await_gone(day, where)
    assert day.process.returncode in (0, 1, 2), f"{where}: {day.said[-2000:]}"
    if "watchdog died" not in day.said:
        assert day.process.returncode == 0 or "UNPROVEN" in day.said, f"{where}: {day.said[-2000:]}"


def _killed(
    start: Start, scenario: str, moment_s: float, victims: Callable[[GameDay], list[int]], settle_s: float = 60.0
) -> GameDay:
    """A game day, of which some processes are killed at that moment, all at once."""
    began_s = time.monotonic()
    day = start(scenario, settle_s=settle_s)
    time.sleep(max(0.0, began_s + moment_s - time.monotonic()))
    chosen = victims(day)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in chosen:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
    if day.process.pid in chosen:
        day.process.wait()
    return day


def _watchdogs(day: GameDay) -> list[int]:
    try:
        children = psutil.Process(day.process.pid).children()
        return [c.pid for c in children if WATCHDOG in c.cmdline()]
    except psutil.Error:
        return []


def _runs(day: GameDay) -> list[Path]:
    """The run's directory, if it came so far as to have a journal."""
    return [path.parent for path in day.runs_dir.glob(f"*/{JOURNAL}")]


def _await_gone(day: GameDay, where: str) -> None:
    """Within the time nothing of the run is left: processes, files, control groups, and its journal says so."""
    try:
        wait_until(lambda: not _left(day), what="everything to be gone", timeout_s=GONE_WITHIN_S)
    except WaitTimeout:
        pytest.fail(f"{where}: still there after {GONE_WITHIN_S:g} s: {_left(day)}")


def _left(day: GameDay) -> list[str]:
    left: list[str] = []
    for run in day.runs_dir.iterdir() if day.runs_dir.exists() else ():
        if run.is_symlink() or not run.is_dir():
            continue
        journal = run / JOURNAL
        left += [repr(process) for process in processes_of(run.name)]
        left += [f"directory {path}" for path in work_dirs(run.name)]
        left += [f"control group {path}" for path in Path("/sys/fs/cgroup").glob(f"*{run.name}*")]
        if journal.exists() and not has_ended(journal):
            left.append(f"journal open: {[e.fault for e in open_entries(journal)]}")
    return left


def _command(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
