"""Records read back: what the contract allows is understood, what is damaged is named."""

from __future__ import annotations

import dataclasses
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


def test_a_run_is_its_run_id_and_copies_count_once(tmp_path: Path) -> None:
    """`latest` copied as a folder, a zip unpacked twice: one run, read where it is named after its id."""
    for name in ("a copy", "latest", "r1", "z"):
        write_run(tmp_path / name, (), run_id="r1")
    write_run(tmp_path / "other", (), run_id="r2", started="2026-11-25T00:00:00Z")
    assert [(r.run_id, r.directory.name) for r in load_runs(tmp_path)] == [("r1", "r1"), ("r2", "other")]


def test_a_chosen_scenario_without_records_is_told_as_unproven(tmp_path: Path) -> None:
    """A run that was cancelled says which of its scenarios it never drilled; nothing outside the run is looked at."""
    write_run(tmp_path / "run", GAMEDAY[:1], scenarios=["primary_region_lost", "lambda_throttled", "../../etc", 3])
    run = load_run(tmp_path / "run")
    assert [(s.identifier, s.verdict, s.judged) for s in run.scenarios] == [
        ("lambda_throttled", "UNPROVEN", False),
        ("primary_region_lost", "MET", True),
    ]
    assert run.tally == "1 of 2 MET, 1 UNPROVEN"


@pytest.mark.parametrize(
    ("verdicts", "tally", "verdict"),
    [
        (("MET", "MET", "UNPROVEN"), "2 of 2 MET; harness check as intended", "MET"),
        (("MET", "MET", "MET"), "2 of 2 MET; harness check NOT as intended", "UNPROVEN"),
        (("MET", "MISSED", "UNPROVEN"), "1 of 2 MET, 1 MISSED; harness check as intended", "MISSED"),
    ],
)
def test_a_check_of_the_harness_counts_apart(
    tmp_path: Path, verdicts: tuple[str, str, str], tally: str, verdict: str
) -> None:
    """The perfect run reads as perfect; a check that comes out otherwise than intended puts all the rest in doubt."""
    chosen = (GAMEDAY[0], GAMEDAY[1], GAMEDAY[5])
    scripts = tuple(dataclasses.replace(s, verdict=v, rate=20) for s, v in zip(chosen, verdicts, strict=True))
    run = load_run(write_run(tmp_path, scripts))
    assert (run.tally, run.verdict) == (tally, verdict)


def test_a_check_alone_proves_nothing_of_the_system(tmp_path: Path) -> None:
    """It says that the harness works, and no more."""
    run = load_run(write_run(tmp_path, GAMEDAY[5:]))
    assert (run.tally, run.verdict) == ("harness check as intended", "UNPROVEN")
