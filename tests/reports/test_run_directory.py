"""A run's directory: its own for ever, `latest` the newest that is over, run.json whole."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from reports.run_directory import RunDirectory, commit_of

NOON = dt.datetime(2026, 11, 24, 12, 0, 5, tzinfo=dt.UTC)


def _describe(run: RunDirectory, **options: object) -> dict[str, object]:
    path = run.write_run_json(
        target="embedded",
        pace=10.0,
        seed=7,
        fidelity={"aurora": "MODEL"},
        objectives={"default": {"rto_s": 15.0}},
        topology_digest="sha256:ab",
        options=options,
    )
    found: dict[str, object] = json.loads(path.read_text())
    return found


def test_two_runs_of_one_second_stand_side_by_side_and_latest_is_the_newest(tmp_path: Path) -> None:
    """Nothing is shared between two game days started at once, and `latest` leads to the one made last."""
    first, second = RunDirectory.create(tmp_path, now=NOON), RunDirectory.create(tmp_path, now=NOON)
    assert first.path != second.path
    first.point_latest()
    second.point_latest()
    assert first.path.is_dir()
    assert (tmp_path / "latest").resolve() == second.path
    assert re.fullmatch(r"20261124T120005Z-[0-9a-f]{6}", first.run_id)


def test_latest_always_leads_to_a_run_while_many_start(tmp_path: Path) -> None:
    """Replacing the link is one step: it is never missing, and no half-made link is left behind."""
    RunDirectory.create(tmp_path).point_latest()

    def finished() -> RunDirectory:
        run = RunDirectory.create(tmp_path)
        run.point_latest()
        return run

    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(finished) for _ in range(40)]
        while not all(r.done() for r in runs):
            assert (tmp_path / "latest").resolve(strict=True).is_dir()
    assert len({r.result().run_id for r in runs}) == 40
    assert not list(tmp_path.glob(".latest*"))


def test_a_run_that_is_not_over_is_not_latest_nor_does_an_older_one_take_its_place(tmp_path: Path) -> None:
    """Made, a run is found by its name alone; of two that end, the one that started later stays the latest."""
    older, newer = (
        RunDirectory.create(tmp_path, now=NOON),
        RunDirectory.create(tmp_path, now=NOON + dt.timedelta(hours=1)),
    )
    assert not (tmp_path / "latest").is_symlink()
    newer.point_latest()
    older.point_latest()
    assert (tmp_path / "latest").resolve() == newer.path


def test_run_json_says_all_that_is_needed_to_run_it_again(tmp_path: Path) -> None:
    """Who, what, when, with which versions; written again it is replaced whole."""
    run = RunDirectory.create(tmp_path, now=NOON)
    _describe(run)
    found = _describe(run, pace="10")
    assert found["run_id"] == run.run_id
    assert found["started"] == "2026-11-24T12:00:05Z"
    assert found["options"] == {"pace": "10"}
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert {"moto", "locust", "polars"} <= set(versions)
    assert set(found) >= {"target", "pace", "commit", "dirty", "python", "platform", "seed", "fidelity", "objectives"}
    assert [p.name for p in run.path.iterdir() if p.is_file()] == ["run.json"]


def test_commit_tells_a_clean_tree_from_a_dirty_one(tmp_path: Path) -> None:
    """A figure measured with uncommitted changes must say so; without a repository nothing is claimed."""
    assert commit_of(tmp_path) == (None, None)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "a").write_text("1")
    subprocess.run([*git, "add", "a"], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    commit, dirty = commit_of(tmp_path)
    assert commit is not None
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert dirty is False
    (tmp_path / "a").write_text("2")
    assert commit_of(tmp_path) == (commit, True)


def test_a_scenario_name_cannot_leave_the_run(tmp_path: Path) -> None:
    """A parametrised test's brackets and slashes become one folder inside the run."""
    run = RunDirectory.create(tmp_path)
    path = run.scenario("../lost[us-east-1/a]")
    assert path.parent == run.path / "scenarios"
    assert path.name == "lost-us-east-1-a"


@pytest.mark.parametrize("obstacle", ["file", "latest"])
def test_what_cannot_hold_runs_is_refused_in_a_sentence(tmp_path: Path, obstacle: str) -> None:
    """A file in the way, or a real directory called latest, is named and left alone."""
    runs = tmp_path / "runs"
    if obstacle == "file":
        runs.write_text("")
    else:
        (runs / "latest").mkdir(parents=True)
    with pytest.raises(UnusableInput, match="runs"):
        RunDirectory.create(runs)
    assert obstacle == "file" or [p.name for p in runs.iterdir()] == ["latest"]
