"""A game day that is ended in the middle of its fault, by Ctrl-C, SIGTERM or SIGKILL, leaves a healed machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from drill.history import History
from drill.wait import wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import open_entries
from tests.scenarios.conftest import GameDay, Start, struck

STOPPED_WITHIN_S = 5.0


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_in_the_middle_of_a_fault_heals_and_stops(game_day: Start, number: signal.Signals) -> None:
    """Within 5 s all is healed and gone, the exit status says that it failed, and the records so far can be judged.

    Nor does an impatient second signal, in the middle of healing, leave anything half done.
    """
    day = struck(game_day, "primary_region_lost")
    began_s = time.monotonic()
    for _ in range(2):
        if number is signal.SIGINT:
            os.killpg(day.process.pid, number)  # a terminal tells the whole group
        else:
            day.process.send_signal(number)
        wait_until(lambda: "healing" in day.said, what="the healing to begin", timeout_s=5)
    wait_until(lambda: not day.left(), what="everything to be gone", timeout_s=60)
    took_s = time.monotonic() - began_s
    assert took_s <= STOPPED_WITHIN_S, f"{took_s:.1f} s: {day.said[-3000:]}"
    assert day.process.wait(timeout=30) == 2, day.said[-3000:]
    assert open_entries(day.journal) == []
    assert '"by":"harness"' in day.journal.read_text()
    _is_judged_unproven(day)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_harness_leaves_nothing_and_the_next_run_may_start(game_day: Start) -> None:
    """SIGKILL in the middle of a fault: the watchdog ends every process, removes every file, closes the journal."""
    day = struck(game_day, "primary_region_lost")
    day.process.kill()
    day.process.wait()
    wait_until(lambda: not open_entries(day.journal), what="the watchdog to close the journal", timeout_s=20)
    assert day.left() == []
    assert '"by":"watchdog"' in day.journal.read_text()
    spooled = day.run / "scenarios" / "primary_region_lost" / "traffic.spool"
    assert spooled.stat().st_size > 0, "what clients saw so far is on disk"
    again = game_day("primary_region_lost", "--collect-only")
    assert again.process.wait(timeout=60) == 0, again.said


def _is_judged_unproven(day: GameDay) -> None:
    """The records up to the end are there, whole; what they lack makes them UNPROVEN."""
    history = History.load(day.run / "scenarios" / "primary_region_lost")
    assert history.ops is not None
    assert history.ops.height > 100
    assert history.first_mark("fault.effective") is not None
    judged = subprocess.run(
        [sys.executable, "-m", "drill", "judge", str(day.run)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (judged.returncode, judged.stderr) == (1, "")
    assert "primary_region_lost: UNPROVEN" in judged.stdout
