"""A game day in a process of its own, watched from outside while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL, open_entries
from infra_fixtures.safety.lease import WORK_PREFIX
from infra_fixtures.safety.sweep import processes_of

FAULT_LIMIT_S = 90.0
ATTEMPTS = 3
PATIENT = """\
[default]
rto_s = 60
rpo_s = 60
lag_p99_s = 60
availability = 0.3
deadline_s = 2
window_s = 1
settle_s = {settle_s:g}
"""
"""Objectives under which even a machine that is busy with other things is steady enough to be broken, and under which
a drill watches its fault for so long (by default a minute)."""


@dataclass(frozen=True, slots=True)
class GameDay:
    """`python -m pytest scenarios` for one scenario, leader of a process group as it would be in a terminal."""

    process: subprocess.Popen[bytes]
    runs_dir: Path
    output: Path

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="replace")

    @property
    def run(self) -> Path:
        """The directory of its run, the newest there is."""
        return max(path for path in self.runs_dir.iterdir() if path.is_dir() and not path.is_symlink()).resolve()

    @property
    def journal(self) -> Path:
        """Its undo journal."""
        return self.run / JOURNAL

    def is_struck(self) -> bool:
        """Wait for the middle of a fault: it took effect, and is not healed. False where the drill refused to break."""

        def decided() -> bool:
            return "fault.effective" in self.said or self.process.poll() is not None

        wait_until(decided, what="the fault to take effect", timeout_s=FAULT_LIMIT_S)
        if "fault.effective" not in self.said:
            assert "drill.refused" in self.said, f"the game day ended before its fault: {self.said[-3000:]}"
            return False
        assert open_entries(self.journal), "a fault that stands is open in the journal"
        return True

    def left(self) -> list[str]:
        """What still stands of its run: processes, work directories."""
        run_id = self.run.name
        work = [str(p) for p in Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}{run_id}-*")]
        return [*(repr(p) for p in processes_of(run_id)), *work]


Start = Callable[..., GameDay]


def struck(start: Start, scenario: str) -> GameDay:
    """A game day in the middle of its fault; where the machine was too busy for a steady state, another one."""
    for _ in range(ATTEMPTS):
        day = start(scenario)
        if day.is_struck():
            return day
    pytest.fail(f"no steady state in {ATTEMPTS} game days: {day.said[-3000:]}")


@pytest.fixture
def game_day(tmp_path: Path) -> Iterator[Start]:
    """Starts game days; those that still run at the end of the test are killed, and their watchdogs clean up."""
    started: list[GameDay] = []

    def start(scenario: str, *options: str, settle_s: float = 60.0, **environment: str) -> GameDay:
        runs_dir, output = tmp_path / "runs", tmp_path / f"output-{len(started)}.txt"
        objectives = tmp_path / "objectives.toml"
        objectives.write_text(PATIENT.format(settle_s=settle_s))
        words = [sys.executable, "-m", "pytest", "scenarios", "-k", scenario, *options]
        words += ["--runs-dir", str(runs_dir), "--objectives", str(objectives)]
        with output.open("wb") as file:
            process = subprocess.Popen(
                words,
                cwd=REPOSITORY,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        started.append(GameDay(process, runs_dir, output))
        return started[-1]

    yield start
    for day in started:
        if day.process.poll() is None:
            day.process.send_signal(signal.SIGKILL)
            day.process.wait()
            wait_until(lambda day=day: not day.left(), what="the watchdog", timeout_s=20)  # type: ignore[misc]
