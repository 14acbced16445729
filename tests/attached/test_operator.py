"""A drill in which a person does everything: asked at the terminal, whose moments are the fault's bracket."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.history import NS
from infra_fixtures.run_layout import REPOSITORY, RunLayout
from tests.attached.scripted import Scripted, scripted
from tests.attached.test_drill import OBJECTIVES, SCHEDULE

BREAK = '[break]\noperator = "Pull the cable of left"\neffect = "the lamp is dark"\n'
HEAL = '[heal]\noperator = "Put the cable of left back"\neffect = "the lamp is lit"\n'


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """It stands."""
    with scripted(layout, tmp_path) as stands:
        yield stands


def words(system: Scripted) -> list[str]:
    """The command line of a drill that a person breaks and heals."""
    topology = system.description()
    topology.write_text(topology.read_text().partition("[break]")[0] + BREAK + HEAL)
    (system.directory / "objectives.toml").write_text(OBJECTIVES)
    (system.directory / "drill.toml").write_text(SCHEDULE)
    return [
        sys.executable, "-m", "scenarios", "play", str(system.directory / "drill.toml"), "--target", "attach",
        "--topology", str(topology), "--objectives", str(system.directory / "objectives.toml"),
        "--runs-dir", str(system.directory / "runs"),
    ]  # fmt: skip


def test_without_a_terminal_it_is_refused_before_anything(system: Scripted) -> None:
    """In one sentence, and no load was sent."""
    done = subprocess.run(
        words(system), cwd=REPOSITORY, capture_output=True, text=True, timeout=120, start_new_session=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "operator needs a terminal at which a person can be asked" in done.stderr
    assert (system.directory / "store.jsonl").read_text() == ""


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_person_breaks_and_heals_it(system: Scripted) -> None:
    """The moments at which Enter was pressed bracket the fault; what is true lies in the bracket of the recovery time."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, words(system))
    try:
        _until(terminal, "Press Enter at the moment you begin:", 400.0)
        os.write(terminal, b"\n")
        before_ns = time.monotonic_ns()
        os.kill(int(system.pid_file(system.primary).read_text()), signal.SIGKILL)
        after_ns = time.monotonic_ns()
        _until(terminal, "as soon as the lamp is dark:")
        os.write(terminal, b"\n")
        _until(terminal, "Put the cable of left back")
        os.system(system.command(system.primary))
        _until(terminal, "Press Enter at the moment you begin:")
        os.write(terminal, b"\n")
        _until(terminal, "as soon as the lamp is lit:")
        os.write(terminal, b"\n")
        _until(terminal, "records and reports:", 120.0)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    (verdict,) = (system.directory / "runs").glob("2*/scenarios/drill/verdict.json")
    told = json.loads(verdict.read_text())
    rto = told["measurements"]["rto_s"]
    (flipped_ns,) = system.flipped_ns
    assert told["verdict"] == "MET", told["reasons"]
    assert rto["lower"] <= (flipped_ns - before_ns) / NS
    assert (flipped_ns - after_ns) / NS - 0.1 <= rto["upper"]


def _until(terminal: int, words: str, limit_s: float = 60.0) -> None:
    """Read until it shows these words."""
    shown, ends_s = "", time.monotonic() + limit_s
    while words not in shown:
        assert time.monotonic() < ends_s, shown[-3000:]
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace")
