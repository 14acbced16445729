"""What a game day cannot work with is refused in one sentence that says how to mend it, with pytest's status 4."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra_fixtures.data_plane.aurora.binaries import BIN_VARIABLE
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL, Header, Journal
from infra_fixtures.safety.undo import RestoreRegion

OPTIONS = {
    "an unknown target": (["--target", "mars"], "--target mars is unknown: give one of embedded"),
    "no objectives": (["--objectives", "none.toml"], "there is no objectives file none.toml: give one with"),
    "broken objectives": (["--objectives", "{broken}"], "broken.toml is not TOML (Expected ']'"),
    "an unknown key": (["--objectives", "{unknown}"], "unknown key rto_ss; did you mean rto_s?"),
    "an unknown key for one scenario": (
        ["--objectives", "{elsewhere}"],
        "[scenario.primary_region_lost]: unknown key rpo",
    ),
    "a misspelt scenario": (
        ["--objectives", "{scenario}"],
        "there is no scenario primary_region_lots; did you mean primary_region_lost?",
    ),
    "a misspelt target": (["--objectives", "{target}"], "there is no target embeded; did you mean embedded?"),
    "pace 0": (["--pace", "0"], "--pace 0 is no pace: give a number from 1"),
    "a load of nothing": (["--rate", "0"], "--rate 0: give a number above 0"),
    "a ramp that is none": (["--ramp", "50"], "--ramp 50: 50 is not RATE@SECOND"),
    "nowhere to record": (["--runs-dir", "/proc/nowhere"], "no run can be recorded under /proc/nowhere"),
}
FILES = {
    "broken": "[default\nrto_s = 3",
    "unknown": "[default]\nrto_ss = 3\n",
    "scenario": "[scenario.primary_region_lots]\nrto_s = 3\n",
    "target": "[target.embeded]\nrto_s = 3\n",
    "elsewhere": "[default]\nrto_s = 3\n[scenario.primary_region_lost]\nrpo = 1\n",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and every line it wrote that is not empty."""

    status: int
    lines: list[str]


def command(*words: str, **environment: str) -> Ended:
    """Run `python -m` with these words to its end."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=REPOSITORY,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return Ended(done.returncode, [line for line in done.stdout.splitlines() if line.strip()])


def play(runs_dir: Path, *options: str, **environment: str) -> Ended:
    """Run the scenario that breaks nothing."""
    where = [] if "--runs-dir" in options else ["--runs-dir", str(runs_dir)]
    return command("pytest", "scenarios", "-k", "nothing_broken", *where, *options, **environment)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Each of OPTIONS tried, side by side."""
    there = tmp_path_factory.mktemp("unusable")
    for name, text in FILES.items():
        (there / f"{name}.toml").write_text(text)
    paths = {name: str(there / f"{name}.toml") for name in FILES}
    with ThreadPoolExecutor(2) as pool:
        ended = {
            name: pool.submit(play, there / "runs", *(word.format(**paths) for word in words))
            for name, (words, _) in OPTIONS.items()
        }
    assert not (there / "runs").exists(), "what is refused leaves no run"
    return {name: future.result() for name, future in ended.items()}


@pytest.mark.parametrize("name", OPTIONS)
def test_unusable_options_are_refused(refused: dict[str, Ended], name: str) -> None:
    """Status 4 and a single line, which says what is wrong."""
    assert refused[name].status == 4, refused[name].lines
    assert len(refused[name].lines) == 1, refused[name].lines
    assert refused[name].lines[0].startswith("ERROR: ")
    assert OPTIONS[name][1] in refused[name].lines[0]


def test_postgresql_that_cannot_be_run_ends_the_game_day(tmp_path: Path) -> None:
    """Status 4, the sentence that names the setting, no traceback; nothing stands afterwards."""
    ended = play(tmp_path / "runs", **{BIN_VARIABLE: str(tmp_path)})
    assert ended.status == 4, ended.lines
    said = [line for line in ended.lines if "lacks PostgreSQL's postgres" in line]
    assert len(said) == 1
    assert f"set {BIN_VARIABLE} to the bin directory" in said[0]
    assert not [line for line in ended.lines if "Traceback" in line or ".py:" in line]


def test_a_held_topology_is_refused_in_one_line(tmp_path: Path) -> None:
    """`python -m infra_fixtures up`: status 2 and one line for a bad pace, a bad target, no PostgreSQL."""
    runs = ["--runs-dir", str(tmp_path)]
    for words, environment, sentence in (
        (["up", "--pace", "0"], {}, "error: --pace 0 is no pace"),
        (["up", "--target", "mars"], {}, "error: --target mars is unknown"),
        (["up"], {BIN_VARIABLE: str(tmp_path)}, "lacks PostgreSQL's postgres"),
    ):
        ended = command("infra_fixtures", *words, *runs, **environment)
        assert (ended.status, len(ended.lines)) == (2, 1), ended.lines
        assert sentence in ended.lines[0]


def test_a_schedule_that_no_system_can_play_is_refused_before_one_is_made(tmp_path: Path) -> None:
    """`python -m scenarios play`: status 2 and one line that names the file, and no run is begun."""
    runs, path = tmp_path / "runs", tmp_path / "drill.toml"
    for text, sentence in (
        ("[[faults]]\nfault = 'region_lost'\nregion = 'mars'", "mars is no region of this system"),
        ("figures.rto_z = { most = 9 }\n[[faults]]\nfault = 'nothing'", "figures.rto_z is measured of no drill"),
    ):
        path.write_text(text)
        ended = command("scenarios", "play", str(path), "--runs-dir", str(runs))
        assert (ended.status, len(ended.lines)) == (2, 1), ended.lines
        assert ended.lines[0].startswith(f"error: {path}")
        assert sentence in ended.lines[0]
        assert not runs.exists()


def test_a_dead_runs_open_fault_is_refused_until_it_is_healed(tmp_path: Path) -> None:
    """The harness and its watchdog both died: the next run names the heal command, which clears the way."""
    journal = Journal(tmp_path / "20260101T000000Z-dead")
    journal.stands_up(Header("20260101T000000Z-dead", "embedded", 10.0, {}, str(tmp_path)))
    journal.begin("region_lost", [RestoreRegion("us-east-1")])
    journal.close()
    ended = play(tmp_path, "--collect-only")
    assert ended.status == 4
    assert len(ended.lines) == 1
    heal = f"python -m infra_fixtures heal --runs-dir {tmp_path}"
    assert "the run 20260101T000000Z-dead died and may have left a fault" in ended.lines[0]
    assert heal in ended.lines[0]
    healed = command(*heal.removeprefix("python -m ").split())
    assert healed.status == 0
    assert healed.lines == ["20260101T000000Z-dead: ended 0 processes, healed region_lost"]
    assert '"by":"heal"' in (tmp_path / "20260101T000000Z-dead" / JOURNAL).read_text()
    assert play(tmp_path, "--collect-only").status == 0
