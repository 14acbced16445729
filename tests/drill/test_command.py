"""`python -m drill judge`: stored records judged again, as another program would call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from drill.evidence import judge
from drill.objective import Objectives
from tests.drill.scripted import LIMITS, history

ROOT = Path(__file__).parents[2]
TABLES = {"default": {"rto_s": 10, "rpo_s": 1, "lost_writes": 0, "deadline_s": 1, "settle_s": 3, "window_s": 1}}


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m drill` with these words."""
    return subprocess.run(
        [sys.executable, "-m", "drill", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two scenarios: `lossless` is MET, `lossy` is MISSED."""
    for name, lost in (("lossless", 0), ("lossy", 3)):
        history(lost=lost).save(tmp_path / "scenarios" / name)
    (tmp_path / "run.json").write_text(json.dumps({"target": "embedded", "pace": 10.0, "objectives": TABLES}))
    return tmp_path


def test_a_scenario_s_verdict_as_json(run: Path) -> None:
    """The whole verdict.json on stdout, with scenario, target and pace from where the records lie; exit status 0."""
    done = command("judge", run / "scenarios" / "lossless", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (found["scenario"], found["target"], found["pace"], found["verdict"]) == (
        "lossless",
        "embedded",
        10.0,
        "MET",
    )
    needed = {
        "rto_s",
        "rpo_s",
        "lost_writes",
        "lost_after_fault",
        "acked_writes",
        "in_doubt_writes",
        "downtime_s",
        "lag_p99_s",
    }
    assert needed <= set(found["measurements"])
    assert set(found["measurements"]["rto_s"]) >= {"value", "lower", "upper", "unit", "objective", "verdict", "because"}
    rto = found["measurements"]["rto_s"]["value"]
    assert sum(p["to_s"] - p["from_s"] for p in found["waterfall"]) == pytest.approx(rto)


def test_a_run_judges_all_its_scenarios(run: Path) -> None:
    """One table a scenario; one MISSED makes exit status 1."""
    done = command("judge", run)
    assert done.returncode == 1
    assert "lossless: MET" in done.stdout
    assert "lossy: MISSED" in done.stdout
    assert "lost_writes 3 exceeds its objective 0" in done.stdout
    assert [v["verdict"] for v in json.loads(command("judge", run, "--json").stdout)] == ["MET", "MISSED"]


def test_objectives_given_override_those_recorded(run: Path, tmp_path: Path) -> None:
    """With a file that allows the loss, the same records are MET; with none recorded, objectives.toml counts."""
    lenient = tmp_path / "lenient.toml"
    lenient.write_text(
        "[default]\nrto_s = 30\nsettle_s = 3\ndeadline_s = 1\nwindow_s = 1\n[scenario.lossy]\nlost_writes = 3\n"
    )
    assert command("judge", run, "--objectives", lenient).returncode == 0
    (run / "run.json").write_text(json.dumps({"target": "embedded", "pace": 10.0}))
    assert command("judge", run / "scenarios" / "lossy").returncode == 0
    (run / "run.json").unlink()
    alone = command("judge", run / "scenarios" / "lossy", "--json")
    assert alone.returncode == 1
    assert "held for only" in " ".join(json.loads(alone.stdout)["reasons"])


def test_judged_again_is_judged_the_same(run: Path) -> None:
    """What the drill itself wrote is what judging the stored records gives."""
    directory = run / "scenarios" / "lossy"
    first = judge(history(lost=3), Objectives(rto_s=10, rpo_s=1, lost_writes=0, deadline_s=1, settle_s=3, window_s=1))
    first.write(directory / "verdict.json", scenario="lossy", target="embedded", pace=10.0)
    again = json.loads(command("judge", directory, "--json").stdout)
    assert (again.pop("expected"), again.pop("objectives")["values"]["lost_writes"]) == ("MET", 0)
    assert again == json.loads((directory / "verdict.json").read_text())


@pytest.mark.parametrize("name", ["ops.parquet", "survivors.parquet", "samples.parquet", "marks.jsonl"])
def test_a_truncated_record_is_unusable(run: Path, name: str) -> None:
    """Half a file is no proof: exit status 2 and one line that names it."""
    path = run / "scenarios" / "lossless" / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = command("judge", run / "scenarios" / "lossless")
    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["ops.parquet", "survivors.parquet", "samples.parquet", "marks.jsonl"])
def test_a_missing_record_is_unproven(run: Path, name: str) -> None:
    """An absent file is an absent proof: exit status 1, the reason named, no crash."""
    (run / "scenarios" / "lossless" / name).unlink()
    done = command("judge", run / "scenarios" / "lossless", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["verdict"] == "UNPROVEN"
    assert f"{name} is missing" in found["reasons"]


def test_never_recovered_is_null_and_missed(run: Path) -> None:
    """JSON has no infinity: the value is null, the verdict MISSED, and the reason says never."""
    history(down_s=12.0).save(run / "scenarios" / "lossless")
    done = command("judge", run / "scenarios" / "lossless", "--json")
    assert "Infinity" not in done.stdout
    rto = json.loads(done.stdout)["measurements"]["rto_s"]
    assert (rto["value"], rto["upper"], rto["verdict"]) == (None, None, "MISSED")
    assert "never recovered" in rto["because"]


def test_other_columns_of_other_types_are_read(run: Path) -> None:
    """Records written by another program with wider integers and one column more are the same records."""
    path = run / "scenarios" / "lossless" / "ops.parquet"
    pl.read_parquet(path).with_columns(pl.col("status").cast(pl.Int64), extra=pl.lit(1)).write_parquet(path)
    assert command("judge", run / "scenarios" / "lossless").returncode == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d: d / "nowhere", "is not a directory"),
        (lambda d: d, "holds no ops.parquet"),
        (lambda d: _file(d / "run" / "scenarios" / ".keep", "").parents[1], "is empty"),
        (lambda d: _file(d / "r" / "run.json", "{").parent / "scenarios" / "s", "run.json"),
    ],
)
def test_a_directory_of_no_drill_is_unusable(tmp_path: Path, make: Any, said: str) -> None:
    """Exit status 2, one line, no traceback."""
    (tmp_path / "r" / "scenarios" / "s").mkdir(parents=True)
    history().save(tmp_path / "r" / "scenarios" / "s")
    done = command("judge", make(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_unusable_objectives_are_unusable_input(run: Path, tmp_path: Path) -> None:
    """An unknown key in the given file, or in those that the run recorded: exit status 2 and its name."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[default]\nrto = 3\n")
    given = command("judge", run, "--objectives", bad)
    assert (given.returncode, "did you mean rto_s" in given.stderr) == (2, True)
    (run / "run.json").write_text(json.dumps({"target": "embedded", "objectives": {"default": {"rto": 3}}}))
    recorded = command("judge", run)
    assert (recorded.returncode, "run.json" in recorded.stderr) == (2, True)


def test_limits_of_the_tests_are_those_recorded() -> None:
    """LIMITS and TABLES agree where both speak, so that these tests judge by the same objectives."""
    assert all(getattr(LIMITS, key) == value for key, value in TABLES["default"].items())


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
