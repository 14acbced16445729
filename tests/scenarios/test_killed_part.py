"""kill -9 of each kind of process that a drill stands on: it ends soon, heals what it can, and its verdict proves nothing.

`make test` kills two of them in the middle of the fault; `make nightly` kills each at three moments.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from drill.history import History
from drill.wait import wait_until
from infra_fixtures.processes.events import read_events
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import open_entries
from infra_fixtures.safety.lease import WORK_PREFIX
from tests.scenarios.conftest import ATTEMPTS, GameDay, Start

SCENARIO = "primary_region_lost"
MOMENT_LIMIT_S = 90.0
END_LIMIT_S = 60.0
MOMENTS = {"baseline": "drill.expects", "fault": "fault.effective", "recovering": "promotion.end"}
"""When to kill, by the mark that is waited for."""

Find = Callable[[GameDay], int]
"""A process id, 0 before there is one."""


def child(words: str) -> Find:
    """A child of the harness by its command line."""

    def find(day: GameDay) -> int:
        children = psutil.Process(day.process.pid).children()
        return next((p.pid for p in children if words in " ".join(p.cmdline())), 0)

    return find


def supervised(part: str) -> Find:
    """A process that another one of the run started, as that one wrote down."""

    return lambda day: started(day, part)


def started(day: GameDay, part: str) -> int:
    """The id of that part's process, 0 before it was started."""
    if not day.runs_dir.exists():
        return 0
    work = Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}{day.run.name}-*/*.events.jsonl")
    events = [event for path in work for event in read_events(path)]
    ids = [e.detail for e in events if (e.event, e.subject) == ("process.started", part)]
    return int(ids[-1].removeprefix("pid ")) if ids else 0


PARTS: dict[str, Find] = {
    "control plane": child("infra_fixtures.control_plane"),
    "global process": child("infra_fixtures.data_plane"),
    "watchdog": child("infra_fixtures.watchdog"),
    "us-west-2/region": supervised("us-west-2/region"),
    "us-west-2/aurora": supervised("us-west-2/aurora"),
    "us-west-2/lambda": supervised("us-west-2/lambda"),
    "traffic": child("locust"),
}
"""Of regional ones those of the standby: the scenario itself kills the primary's."""


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["global process", "watchdog"])
def test_a_part_killed_in_the_middle_of_a_fault_proves_nothing(game_day: Start, part: str) -> None:
    """The process that spans regions, whose death ends the regions; and the watchdog, whose death nobody feels."""
    is_noticed(game_day, part, "fault")


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_part_killed_while_the_system_stands_up_is_named(game_day: Start) -> None:
    """No drill begins: the scenario is UNPROVEN in records and table, which name the region and what it did not pass."""
    day = game_day(SCENARIO)
    pid = wait_until(lambda: started(day, "us-west-2/region"), what="the region to start", timeout_s=30)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: day.process.poll() is not None, what="the game day to end", timeout_s=END_LIMIT_S)
    assert day.process.returncode == 1, day.said[-3000:]
    directory = day.run / "scenarios" / SCENARIO
    (mark,) = History.load(directory).marks or ()
    assert (mark.event, mark.subject) == ("stand_up.refused", "us-west-2")
    assert mark.detail.startswith(f"us-west-2/region died: process {pid} was killed by SIGKILL")
    agree_on_unproven(directory, "us-west-2 could not be stood up: us-west-2/region died")
    assert f"UNPROVEN {SCENARIO}" in day.said
    wait_until(lambda: not day.left(), what="everything to be gone", timeout_s=20)


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("part", PARTS)
def test_whichever_part_is_killed_whenever_nothing_is_proved(game_day: Start, part: str, moment: str) -> None:
    """Each of them, while the steady state is observed, when the fault has just struck, and when service is back."""
    is_noticed(game_day, part, moment)


def is_noticed(start: Start, part: str, moment: str) -> None:
    """The game day ends soon and leaves nothing; one mark names the part, and both verdicts agree on UNPROVEN."""
    day = killed(start, part, moment)
    wait_until(lambda: day.process.poll() is not None, what="the game day to end", timeout_s=END_LIMIT_S)
    assert day.process.returncode == 1, day.said[-3000:]
    wait_until(lambda: not day.left(), what="everything to be gone", timeout_s=20)
    assert open_entries(day.journal) == []
    directory = day.run / "scenarios" / SCENARIO
    deaths = [m for m in History.load(directory).marks or () if m.event in ("process.died", "probe.died")]
    assert [m.subject for m in deaths if part == m.subject] == [part], deaths
    assert [m.subject for m in deaths if m.event == "process.died"] == ([part] if part != "traffic" else [])
    assert "SIGKILL" in next(m.detail for m in deaths if m.subject == part)
    agree_on_unproven(directory, part)
    assert f"UNPROVEN {SCENARIO}" in day.said


def agree_on_unproven(directory: Path, words: str) -> None:
    """verdict.json and whoever judges the records again say UNPROVEN for the same reasons, the words among them."""
    verdict = json.loads((directory / "verdict.json").read_bytes())
    assert verdict["verdict"] == "UNPROVEN"
    assert words in " ".join(verdict["reasons"])
    again = json.loads(judged(directory))
    assert (again["verdict"], again["reasons"]) == (verdict["verdict"], verdict["reasons"])


def killed(start: Start, part: str, moment: str) -> GameDay:
    """A game day that lost that part at that moment; another one where a busy machine was not steady enough for it."""
    for _ in range(ATTEMPTS):
        day = start(SCENARIO, settle_s=2.0)
        if reached(day, MOMENTS[moment]):
            pid = wait_until(lambda day=day: PARTS[part](day), what=part, timeout_s=10)  # type: ignore[misc]
            os.kill(pid, signal.SIGKILL)
            return day
        day.process.wait(timeout=END_LIMIT_S)
    pytest.fail(f"{moment} was not reached in {ATTEMPTS} game days: {day.said[-3000:]}")


def reached(day: GameDay, event: str) -> bool:
    """Wait for the mark; whether it came."""
    wait_until(
        lambda: event in day.said or "drill.refused" in day.said or day.process.poll() is not None,
        what=event,
        timeout_s=MOMENT_LIMIT_S,
    )
    return event in day.said


def judged(directory: Path) -> str:
    """What `python -m drill judge --json` says of the records."""
    done = subprocess.run(
        [sys.executable, "-m", "drill", "judge", "--json", str(directory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
    return done.stdout
