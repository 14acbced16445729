"""summary.md and report.pdf: the whole run for people, whatever words the records hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from reports.pdf import write_pdf
from reports.pictures import draw
from reports.record import load_run
from reports.summary import summary, write_summary
from tests.reports.outage import GAMEDAY, write_run

HOSTILE = '#panic("x") *a_b* <label> $x$ @ref | `tick` \\ "quote"\nnew line'


def _hostile(directory: Path) -> Path:
    run = write_run(directory, GAMEDAY[2:3])
    path = run / "scenarios" / GAMEDAY[2].name / "verdict.json"
    said = json.loads(path.read_text())
    said["reasons"] = [HOSTILE]
    said["measurements"]["rto_s"]["because"] = HOSTILE
    path.write_text(json.dumps(said))
    return run


def test_the_summary_tells_verdicts_figures_fidelity_and_limits(tmp_path: Path) -> None:
    """One page: the table, each scenario's figures and pictures, what was not proven."""
    run = load_run(write_run(tmp_path, GAMEDAY[:3]))
    pictures = draw(run.scenarios[0], run)
    text = write_summary(run).read_text()
    assert "| `primary_region_lost` | ✔ MET | **8.42 s** [8.40, 8.45] ≤ 15.0 s |" in text
    assert f"]({pictures.timeline.relative_to(tmp_path).as_posix()})" in text
    assert "| RTO of follower clients |" in text
    assert "## What this run did not prove" in text
    linked = re.findall(r"!\[.*\]\((.*)\)", text)
    assert linked
    assert all((tmp_path / link).exists() for link in linked)


def test_words_of_a_record_cannot_break_the_summary_s_table(tmp_path: Path) -> None:
    """A bar or a line break in a reason stays inside its cell."""
    text = summary(load_run(_hostile(tmp_path)))
    row = next(line for line in text.splitlines() if line.startswith("| RTO |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 7


def test_the_pdf_is_the_same_from_the_same_records_and_survives_hostile_words(tmp_path: Path) -> None:
    """Typst's own syntax in a record is text; the bytes do not depend on when or where it is built."""
    run = load_run(_hostile(tmp_path))
    draw(run.scenarios[0], run)
    first = write_pdf(run).read_bytes()
    assert first.startswith(b"%PDF-")
    assert write_pdf(run).read_bytes() == first
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True, check=True
        )
        for words in ("MISSED", "3.02 s", '#panic("x")', "not AWS's own timers", "fault.effective", "did not prove"):
            assert words in text.stdout


def test_a_run_of_nothing_has_a_pdf_too(tmp_path: Path) -> None:
    """No scenario and no run facts still make a report that says UNPROVEN."""
    (tmp_path / "run.json").write_text("{}")
    assert write_pdf(load_run(tmp_path)).stat().st_size > 1000
