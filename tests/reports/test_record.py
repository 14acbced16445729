"""Records read back: what the contract allows is understood, what is damaged is named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from drill.evidence import judge
from drill.objective import Objectives
from drill.unusable import UnusableInput
from reports.record import load_run, load_runs, load_scenario
from tests.reports.outage import GAMEDAY, history, write_run


def _scenario(tmp_path: Path, **said: Any) -> Path:
    (tmp_path / "verdict.json").write_text(
        json.dumps({"scenario": "s", "verdict": "MET", "pace": 10, "target": "embedded", "measurements": {}} | said)
    )
    return tmp_path


def test_a_missed_figure_without_a_value_never_happened(tmp_path: Path) -> None:
    """JSON has no infinity: never recovered is null and MISSED, not measured is null and UNPROVEN."""
    never = {"value": None, "lower": 61.0, "upper": None, "unit": "s", "objective": 15, "verdict": "MISSED"}
    unknown = {"value": None, "unit": "s", "objective": 5, "verdict": "UNPROVEN"}
    found = load_scenario(_scenario(tmp_path, verdict="MISSED", measurements={"rto_s": never, "rpo_s": unknown}))
    assert found.figure("rto_s").value == math.inf
    assert found.figure("rpo_s").value is None
    assert found.figure("lag_p99_s").value is None


def test_what_the_core_writes_is_what_reports_read(tmp_path: Path) -> None:
    """A judgement of the core itself comes back with its figures, waterfall and cohorts."""
    judged = judge(history(GAMEDAY[0]), Objectives(rto_s=15, settle_s=2, window_s=1, deadline_s=1))
    judged.write(tmp_path / "verdict.json", scenario="primary_region_lost", target="embedded", pace=10.0)
    found = load_scenario(tmp_path)
    assert found.verdict == str(judged.verdict)
    assert found.figure("rto_s").value == judged.measurements["rto_s"].value
    assert [p.phase for p in found.waterfall] == [p.phase for p in judged.waterfall]
    assert set(found.cohorts) == {"follower", "sticky"}


def test_an_unjudged_scenario_and_an_unknown_verdict_are_unproven(tmp_path: Path) -> None:
    """Only the word MET is a pass."""
    assert load_scenario(tmp_path).verdict == "UNPROVEN"
    assert load_scenario(_scenario(tmp_path, verdict="PASSED")).verdict == "UNPROVEN"


def test_the_worst_scenario_gives_the_run_its_verdict(tmp_path: Path) -> None:
    """MISSED beats UNPROVEN beats MET, and a run without scenarios proves nothing."""
    assert load_run(write_run(tmp_path / "all")).verdict == "MISSED"
    assert load_run(write_run(tmp_path / "one", GAMEDAY[:1])).verdict == "MET"
    assert load_run(write_run(tmp_path / "none", ())).verdict == "UNPROVEN"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{"),
        ("run.json", "[]"),
        ("run.json", '{"pace": "fast"}'),
        ("scenarios/s/verdict.json", "\x00"),
        ("scenarios/s/verdict.json", '{"verdict": "MET"}'),
        ("scenarios/s/verdict.json", '{"measurements": {"rto_s": 3}}'),
        ("scenarios/s/verdict.json", '{"measurements": {}, "waterfall": [{"from_s": 1}]}'),
        ("scenarios/s/verdict.json", '{"measurements": {}, "cohorts": {"a": 3}}'),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, name: str, content: str) -> None:
    """Whatever is wrong with a file, the message names it."""
    (tmp_path / "scenarios" / "s").mkdir(parents=True)
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / name).write_text(content)
    with pytest.raises(UnusableInput, match=Path(name).name):
        assert load_run(tmp_path).pace


def test_runs_are_in_the_order_of_their_start_and_latest_is_not_counted_twice(tmp_path: Path) -> None:
    """The time in run.json decides, not the directory's name; what is no run is passed over."""
    write_run(tmp_path / "b", (), run_id="b", started="2026-11-01T00:00:00Z")
    write_run(tmp_path / "a", (), run_id="a", started="2026-11-02T00:00:00Z")
    (tmp_path / "latest").symlink_to("a")
    (tmp_path / "notes").mkdir()
    assert [r.run_id for r in load_runs(tmp_path)] == ["b", "a"]
