"""Allure's history: one line a run, in the order the runs were made, whatever the order their reports are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from reports.allure_history import HISTORY, AllureHistory
from reports.record import Run, load_run
from tests.reports.outage import write_run


def _run(home: Path, day: int) -> Run:
    name = f"202611{day}T040000Z-abc123"
    return load_run(write_run(home / name, (), run_id=name, started=f"2026-11-{day}T04:00:00Z"))


def _line(uuid: str) -> str:
    return json.dumps({"uuid": uuid, "name": "Allure Report", "timestamp": 1})


def _kept(home: Path) -> list[tuple[str, str]]:
    return [(p["name"], p["uuid"]) for p in map(json.loads, (home / HISTORY).read_text().splitlines())]


def test_lines_stand_in_the_order_of_the_runs(tmp_path: Path) -> None:
    """A report made late of an early run goes before what is there."""
    early, late = _run(tmp_path, 10), _run(tmp_path, 20)
    AllureHistory.of(tmp_path).keep(late, _line("b"))
    AllureHistory.of(tmp_path).keep(early, _line("a"))
    assert _kept(tmp_path) == [(early.run_id, "a"), (late.run_id, "b")]


def test_a_report_made_again_replaces_its_line(tmp_path: Path) -> None:
    """However often the report of a run is made, the trend counts the run once."""
    run = _run(tmp_path, 10)
    for uuid in ("a", "b"):
        AllureHistory.of(tmp_path).keep(run, _line(uuid))
    assert _kept(tmp_path) == [(run.run_id, "b")]


def test_a_report_is_shown_only_what_was_before_its_run(tmp_path: Path) -> None:
    """The report of an early run made again later is the same one: it knows nothing of later runs, nor of itself."""
    runs = [_run(tmp_path, day) for day in (10, 15, 20)]
    for run in runs:
        AllureHistory.of(tmp_path).keep(run, _line(run.run_id))
    before = AllureHistory.of(tmp_path).before(runs[1]).splitlines()
    assert [json.loads(x)["name"] for x in before] == [runs[0].run_id]


def test_a_damaged_history_is_named_with_its_line(tmp_path: Path) -> None:
    """Whoever carried half a file from one job to the next learns which line to remove."""
    (tmp_path / HISTORY).write_text(_line("a") + "\n{\n")
    with pytest.raises(UnusableInput, match=rf"{HISTORY}: line 2"):
        AllureHistory.of(tmp_path)
