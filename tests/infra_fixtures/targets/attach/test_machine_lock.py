"""Two game days never hold one attached system, and a dead one keeps others out until it is healed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.targets.attach.machine_lock import held_here, taken_over_here

SYSTEM = "http://orders.example:8080"
HOLD = """
import sys, time
from pathlib import Path
from infra_fixtures.targets.attach.machine_lock import held_here
with held_here(sys.argv[1], "dead-run", lambda: False, Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_run_holds_it(tmp_path: Path) -> None:
    """Another is refused and told who; another system is free; afterwards it is free again."""
    with held_here(SYSTEM, "first", lambda: True, tmp_path):
        with pytest.raises(UnusableInput, match="the run first drills this system"), _held("second", tmp_path):
            pytest.fail("it was held twice")
        with held_here("http://another.example", "second", lambda: True, tmp_path):
            pass
    with _held("second", tmp_path):
        pass


def test_what_is_not_over_keeps_others_out(tmp_path: Path) -> None:
    """Its own run may go on with it; whoever heals it frees it."""
    with held_here(SYSTEM, "first", lambda: False, tmp_path):
        pass
    with pytest.raises(UnusableInput, match="the run first died while it drilled"), _held("second", tmp_path):
        pytest.fail("it was taken although it may be broken")
    with _held("first", tmp_path, over=False):
        pass
    with pytest.raises(ZeroDivisionError), taken_over_here(SYSTEM, "first", tmp_path):
        raise ZeroDivisionError
    with pytest.raises(UnusableInput, match="the run first died"), _held("second", tmp_path):
        pytest.fail("it was taken although nobody healed it")
    with taken_over_here(SYSTEM, "first", tmp_path):
        pass
    with _held("second", tmp_path):
        pass


def test_a_run_that_is_killed_leaves_its_name(tmp_path: Path) -> None:
    """The kernel frees the lock, and the name stays."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, SYSTEM, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UnusableInput, match="the run dead-run drills this system"), _held("second", tmp_path):
            pytest.fail("it was held twice")
        os.kill(holder.pid, signal.SIGKILL)
    with pytest.raises(UnusableInput, match="the run dead-run died"), _held("second", tmp_path):
        pytest.fail("it was taken although it may be broken")


def _held(run: str, directory: Path, *, over: bool = True):  # type: ignore[no-untyped-def]
    return held_here(SYSTEM, run, lambda: over, directory)
