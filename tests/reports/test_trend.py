"""The trend: a regression is what is worse beyond doubt than the last good run of the same target and pace."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from reports.charts.over_runs import trend
from reports.record import load_runs
from reports.trend import Series, series_of, trend_table
from tests.reports.outage import GAMEDAY, Script, write_run

LOST = dataclasses.replace(GAMEDAY[0], rate=20)


def _runs(tmp_path: Path, *scripts: Script, pace: float = 10) -> list[Series]:
    for i, script in enumerate(scripts):
        write_run(tmp_path / f"r{i}", (script,), run_id=f"r{i}", started=f"2026-11-{i + 1:02}T00:00:00Z", pace=pace)
    return series_of(load_runs(tmp_path))


def _took(down_s: float, verdict: str = "MET") -> Script:
    return dataclasses.replace(LOST, down_s=down_s, verdict=verdict, reason="" if verdict == "MET" else "too slow")


@pytest.mark.parametrize(
    ("took", "regressed"),
    [
        ([8.4, 8.5], False),
        ([8.4, 9.2], False),
        ([8.4, 9.6], True),
        ([8.4, 6.0], False),
        ([9.6, 8.4, 9.0], False),
        ([0.05, 0.14], False),
        ([8.4], False),
    ],
)
def test_a_slower_recovery_is_a_regression_only_beyond_bounds_and_noise(
    tmp_path: Path, took: list[float], regressed: bool
) -> None:
    """Within a tenth, or a tenth of a second, it is noise; quicker is never worse; one run has nothing to compare."""
    [one] = _runs(tmp_path, *(_took(t) for t in took))
    assert bool(one.regressions) is regressed


def test_the_last_good_run_is_compared_with_not_the_last(tmp_path: Path) -> None:
    """A bad run in between does not become the measure."""
    [one] = _runs(tmp_path, _took(8.4), _took(40.0, "MISSED"), _took(12.0))
    assert one.last_good is not None
    assert one.last_good.run.run_id == "r0"
    assert one.regressions == ["primary_region_lost: RTO 12.0 s [12.0, 12.0] in r2, was 8.40 s [8.38, 8.43] in r0"]


@pytest.mark.parametrize("verdict", ["MISSED", "UNPROVEN"])
def test_a_verdict_that_is_no_longer_met_is_a_regression(tmp_path: Path, verdict: str) -> None:
    """Losing the proof is as much a regression as losing the time."""
    [one] = _runs(tmp_path, _took(8.4), _took(8.4, verdict))
    assert one.regressions == [f"primary_region_lost: MET in r0, {verdict} in r1: too slow"]


def test_targets_and_paces_are_never_compared(tmp_path: Path) -> None:
    """A figure at pace 10 says nothing about one at AWS's own pace."""
    write_run(tmp_path / "a", (_took(8.4),), run_id="a")
    write_run(tmp_path / "b", (_took(84.0),), run_id="b")
    verdict = tmp_path / "b" / "scenarios" / LOST.name / "verdict.json"
    verdict.write_text(verdict.read_text().replace('"pace": 10', '"pace": 1'))
    series = series_of(load_runs(tmp_path))
    assert [s.pace for s in series] == [1, 10]
    assert not any(s.regressions for s in series)


def test_never_recovered_and_never_measured_are_drawn_and_told(tmp_path: Path) -> None:
    """Infinite and unknown figures stand in picture and table as words."""
    _runs(tmp_path, _took(8.4), _took(30.0, "MISSED"), dataclasses.replace(GAMEDAY[5], rate=20))
    path = tmp_path / "r1" / "scenarios" / LOST.name / "verdict.json"
    said = json.loads(path.read_text())
    said["measurements"]["rto_s"] |= {"value": None, "upper": None, "verdict": "MISSED"}
    path.write_text(json.dumps(said))
    series = series_of(load_runs(tmp_path))
    _, svg = trend(series, tmp_path / "trend")
    text = svg.read_text()
    assert "never" in text
    assert "Primary region lost" in text
    out = io.StringIO()
    Console(file=out, width=140).print(trend_table(series))
    assert "never (was 8.40 s)" in out.getvalue()


def test_a_cancelled_or_empty_run_or_a_copy_is_never_a_regression(tmp_path: Path) -> None:
    """What was never judged is no point of the trend, and a run unpacked twice is one."""
    _runs(tmp_path, _took(8.4), _took(8.5))
    write_run(tmp_path / "empty", (), run_id="empty", started="2026-11-20T00:00:00Z", scenarios=[LOST.name])
    cancelled = write_run(tmp_path / "c", (_took(8.4),), run_id="c", started="2026-11-21T00:00:00Z")
    (cancelled / "scenarios" / LOST.name / "verdict.json").unlink()
    broken_off = write_run(tmp_path / "d", (_took(8.4, "UNPROVEN"),), run_id="d", started="2026-11-22T00:00:00Z")
    with (broken_off / "scenarios" / LOST.name / "marks.jsonl").open("a") as marks:
        marks.write('{"at_ns": 1, "event": "drill.interrupted", "subject": "awaiting recovery"}\n')
    shutil.copytree(tmp_path / "r0", tmp_path / "latest")
    shutil.copytree(tmp_path / "r0", tmp_path / "z again")
    [one] = series_of(load_runs(tmp_path))
    assert [p.run.run_id for p in one.points] == ["r0", "r1"]
    assert one.regressions == []


def test_a_check_of_the_harness_is_good_as_intended_and_regresses_when_it_passes(tmp_path: Path) -> None:
    """UNPROVEN is what it must be; MET would mean that the harness no longer sees that nothing was broken."""
    check = dataclasses.replace(GAMEDAY[5], rate=20)
    [same] = _runs(tmp_path / "same", check, check)
    assert same.regressions == []
    [other] = _runs(tmp_path / "other", check, dataclasses.replace(check, verdict="MET", reason=""))
    assert other.regressions == [
        "nothing_broken: harness check as intended (UNPROVEN) in r0, harness check NOT as intended (MET) in r1: "
        "UNPROVEN was to come out"
    ]
