"""Several runs of a scenario in every report: each run, median, worst, and what they show."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from drill.stored import write_repetitions
from drill.unusable import UnusableInput
from reports.pdf import write_pdf
from reports.record import load_run
from reports.repeated import load_repeated
from reports.summary import summary
from reports.table import print_verdicts
from reports.trend import series_of
from tests.drill.scripted import LIMITS, history
from tests.reports.outage import facts

TABLES = {
    "rto_s": LIMITS.rto_s, "rpo_s": 1.0, "lag_p99_s": 1.0, "deadline_s": 1.0, "window_s": 1.0, "settle_s": 3.0,
    "reliability": 0.9,
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three repetitions, judged as a drill judges them: back after 4, 5 and 6 s."""
    from drill.evidence import judge
    from drill.objective import resolve_objectives

    objectives = {"default": TABLES}
    said = facts() | {"objectives": objectives, "options": {"repeat": 3}}
    (tmp_path / "run.json").write_text(json.dumps(said))
    for number, (name, down_s) in enumerate((("x", 4.0), ("x-002", 6.0), ("x-003", 5.0)), start=1):
        whole = history(down_s=down_s)
        whole.save(tmp_path / "scenarios" / name)
        judged = judge(whole, resolve_objectives(objectives, "embedded", "x", source=""))
        more = {"repetition": number} if number > 1 else {}
        judged.write(tmp_path / "scenarios" / name / "verdict.json", scenario="x", target="embedded", pace=10.0, **more)
    write_repetitions(tmp_path)
    return tmp_path


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_tells_each_run_and_what_they_show(run: Path, width: int) -> None:
    """Three rows, then the median, the worst and the bound, none cut off."""
    out = io.StringIO()
    print_verdicts(load_run(run), Console(file=out, width=width, no_color=True))
    text = out.getvalue()
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for words in ("x-002", "x-003", "3 of 3", "5.00 s", "6.00 s", "36.84 % ≥ 90.00 %", "29 runs"):
        assert words in text


def test_summary_and_pdf_tell_it_too(run: Path) -> None:
    """The same row and sentence in Markdown; the PDF is made of it."""
    text = summary(load_run(run))
    assert "## Several runs together" in text
    assert "| `x` | 3 of 3 | 5.00 s | 6.00 s |" in text
    assert "with 0.95 confidence at least 36.8 % do" in text
    assert "## X, run 2: MET" in text
    assert write_pdf(load_run(run)).read_bytes().startswith(b"%PDF-")


def test_the_trend_takes_the_run_of_median_recovery_and_the_worst_verdict(run: Path, tmp_path: Path) -> None:
    """One point a run, however often it was repeated; one MISSED of three makes it MISSED."""
    (one,) = series_of((load_run(run),))
    assert [p.scenario.identifier for p in one.points] == ["x-003"]
    path = run / "scenarios" / "x" / "verdict.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verdict": "MISSED"}))
    (one,) = series_of((load_run(run),))
    assert [(p.scenario.identifier, p.scenario.verdict) for p in one.points] == [("x-003", "MISSED")]


def test_a_run_without_repetitions_has_no_such_file(run: Path) -> None:
    """One run of each scenario and no reliability demanded: nothing is written, nothing is told."""
    (run / "repetitions.json").unlink()
    for name in ("x-002", "x-003"):
        shutil.rmtree(run / "scenarios" / name)
    plain = {"default": {k: v for k, v in TABLES.items() if k != "reliability"}}
    (run / "run.json").write_text(json.dumps(facts() | {"objectives": plain, "options": {"repeat": 1}}))
    assert write_repetitions(run) == []
    assert not (run / "repetitions.json").exists()
    assert load_repeated(run) == ()
    assert "Several runs" not in summary(load_run(run))


@pytest.mark.parametrize("text", ["{", "[{}]", "[1]", '[{"scenario": "x", "repetitions": "many"}]'])
def test_a_damaged_file_is_named(run: Path, text: str) -> None:
    """Whatever is wrong with it, one sentence names it."""
    (run / "repetitions.json").write_text(text)
    with pytest.raises(UnusableInput, match=r"repetitions\.json"):
        load_run(run)
