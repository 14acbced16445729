"""report.pdf: what an auditor files. A cover with the verdicts, then each scenario with figures, pictures and marks."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import typst

from drill import schedule
from drill.history import NS, History
from reports.charts.theme import FONTS
from reports.figure import Figure
from reports.limitations import fidelity, not_proven
from reports.record import Run, Scenario
from reports.summary import figure_rows, repeated_row
from reports.wording import bracket, limit, seconds, title, value

TEMPLATE = Path(__file__).with_name("report.typ")
MOST_MARKS = 60


def write_pdf(run: Run) -> Path:
    """Write report.pdf into the run's directory and return its path; pictures drawn beside the records are embedded.

    The same records give the same bytes: the fonts are matplotlib's own and the date is the run's.
    """
    path = run.directory / "report.pdf"
    with tempfile.TemporaryDirectory(prefix="drill-pdf-") as work:
        folder = Path(work)
        shutil.copy(TEMPLATE, folder / "report.typ")
        (folder / "data.json").write_text(json.dumps(_data(run, folder)), encoding="utf-8")
        typst.compile(
            str(folder / "report.typ"),
            output=str(path),
            root=str(folder),
            font_paths=[str(FONTS)],
            ignore_system_fonts=True,
            timestamp=int(max(run.started_at, dt.datetime.fromtimestamp(0, dt.UTC)).timestamp()),
        )
    return path


def _data(run: Run, folder: Path) -> dict[str, Any]:
    facts = run.facts
    commit = str(facts.get("commit") or "unknown")[:12] + (" with uncommitted changes" if facts.get("dirty") else "")
    shown = {
        "Run": run.run_id,
        "Started (UTC)": run.started or "unknown",
        "Target": run.target,
        "Pace": f"{run.pace:g}",
        "Commit": commit,
        "Seed": str(facts.get("seed", "unknown")),
        "Topology": str(facts.get("topology_digest", "unknown"))[:23],
        "Python": str(facts.get("python", "unknown")),
    }
    return {
        "run_id": run.run_id,
        "target": run.target,
        "pace": f"{run.pace:g}",
        "paced": "AWS's own timers" if run.pace == 1 else "not AWS's own timers",
        "headline": run.met or run.checked,
        "checked": run.checked if run.met else "",
        "signatures": run.signatures,
        "verdict": run.verdict,
        "facts": list(shown.items()),
        "fidelity": fidelity(run) or [("unknown", "UNKNOWN", "the record does not say")],
        "not_proven": not_proven(run),
        "repeated": [
            {"scenario": title(r.scenario), "rows": repeated_row(r), "verdict": r.verdict, "shown": r.shown}
            for r in run.repeated
        ],
        "scenarios": [_scenario(s, folder, n) for n, s in enumerate((*run.drills, *run.checks))],
    }


def _scenario(scenario: Scenario, folder: Path, number: int) -> dict[str, Any]:
    history = scenario.history()
    marks = _marks(history)
    return {
        "id": f"scenario-{number}",
        "title": scenario.title,
        "verdict": scenario.counts_as,
        "outcome": scenario.outcome,
        "cell": scenario.outcome.removeprefix("harness check ").partition(" (")[0],
        "judged_by": scenario.judged_by,
        "reason": scenario.reason or "no reason was recorded",
        "reasons": list(scenario.reasons),
        "rto": _cell(scenario.figure("rto_s")),
        "rpo": _cell(scenario.figure("rpo_s")),
        "lost": _cell(scenario.figure("lost_writes")),
        "lag": _cell(scenario.figure("lag_p99_s")),
        "down": seconds(scenario.figure("downtime_s").value),
        "figures": figure_rows(scenario),
        "marks": marks[:MOST_MARKS],
        "more_marks": max(len(marks) - MOST_MARKS, 0),
        "timeline": _picture(scenario, "timeline", folder, number),
        "waterfall": _picture(scenario, "waterfall", folder, number),
    }


def _cell(figure: Figure) -> tuple[str, str, str]:
    return value(figure), bracket(figure), limit(figure)


def _marks(history: History) -> list[tuple[str, str, str, str]]:
    fault = history.first_mark("fault.effective") or history.first_mark("fault.begin")
    zero = fault.at_ns if fault else 0
    ordered = sorted((m for m in history.marks or () if m.event != schedule.EVENT), key=lambda m: m.at_ns)
    return [(f"{(m.at_ns - zero) / NS:+.3f} s", m.event, m.subject, m.detail[:120]) for m in ordered]


def _picture(scenario: Scenario, name: str, folder: Path, number: int) -> str | None:
    drawn = scenario.directory / f"{name}.svg"
    if not drawn.exists():
        return None
    copy = f"{number}-{name}.svg"
    shutil.copy(drawn, folder / copy)
    return copy
