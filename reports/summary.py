"""summary.md: the run on one page, for a pull request, a wiki or a chat."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from reports.figure import Figure
from reports.limitations import fidelity, not_proven
from reports.record import Run, Scenario
from reports.repeated import Repeated
from reports.wording import SHORT, bracket, count, label, limit, quantity, seconds, value


def summary(run: Run) -> str:
    """The whole page as Markdown; pictures are linked where they have been drawn."""
    parts = [
        f"# DR drill {run.run_id}: {run.verdict}",
        f"Target **{run.target}**, pace **{run.pace:g}**, started {run.started or 'unknown'}, commit {_commit(run)}.",
        f"**{run.tally}**",
        *run.signatures,
        _table(run),
        *_repeated(run),
        *(_scenario(s, run.directory) for s in run.scenarios),
        "## Fidelity",
        "\n".join(f"- {c}: **{level}**{f', {note}' if note else ''}" for c, level, note in fidelity(run))
        or "The record does not say what the components were.",
        "## What this run did not prove",
        "\n".join(f"- {sentence}" for sentence in not_proven(run)),
    ]
    return "\n\n".join(parts) + "\n"


def write_summary(run: Run) -> Path:
    """Write summary.md into the run's directory and return its path."""
    path = run.directory / "summary.md"
    path.write_text(summary(run), encoding="utf-8")
    return path


def figure_rows(scenario: Scenario) -> list[tuple[str, str, str, str, str, str]]:
    """(label, value, bounds, limit, verdict, because) of every figure, in the record's order."""
    told = [(label(n), f) for n, f in scenario.figures.items()]
    told += [(f"RTO of {name} clients", c.rto) for name, c in scenario.cohorts.items()]
    return [(name, value(f), bracket(f), limit(f), f.verdict or "", f.because) for name, f in told]


def _commit(run: Run) -> str:
    said = f"`{str(run.facts.get('commit') or 'unknown')[:12]}`"
    return said + (" with uncommitted changes" if run.facts.get("dirty") else "")


def _table(run: Run) -> str:
    heads = ("scenario", "verdict", "RTO", "RPO", "lost writes", "lag p99", "time down", "acknowledged")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for s in (*run.drills, *run.checks):
        cells = [
            f"`{s.identifier}`",
            SHORT[s.verdict] if not s.is_check else s.outcome,
            _cell(s.figure("rto_s")),
            _cell(s.figure("rpo_s")),
            _cell(s.figure("lost_writes")),
            _cell(s.figure("lag_p99_s")),
            seconds(s.figure("downtime_s").value),
            count(s.figure("acked_writes").value),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


REPEATED = ("scenario", "met RTO", "RTO median", "RTO worst", "RPO worst", "shown at least", "for 95 %")


def repeated_row(repeated: Repeated) -> tuple[str, ...]:
    """What the runs of one scenario show, in the order of REPEATED and without the scenario's name."""
    shown = repeated.figure("reliability")
    return (
        f"{repeated.met} of {repeated.requested}",
        value(repeated.figure("rto_median_s")),
        value(repeated.figure("rto_worst_s")),
        value(repeated.figure("rpo_worst_s")),
        " ".join(x for x in (quantity(shown.lower, "share"), limit(shown)) if x),
        f"{count(repeated.figure('runs_needed').value)} runs",
    )


def _repeated(run: Run) -> list[str]:
    if not run.repeated:
        return []
    rows = [f"| {' | '.join(REPEATED)} |", "|---" * len(REPEATED) + "|"]
    rows += [f"| {' | '.join((f'`{r.scenario}`', *repeated_row(r)))} |" for r in run.repeated]
    told = [f"- **{r.scenario}**: {_escape(r.shown)}." for r in run.repeated]
    return ["## Several runs together", "\n".join(rows), "\n".join(told)]


def _cell(figure: Figure) -> str:
    return " ".join(x for x in (f"**{value(figure)}**", bracket(figure), limit(figure)) if x)


def _scenario(scenario: Scenario, folder: Path) -> str:
    lines = [f"## {scenario.title}: {scenario.outcome}"]
    lines += [f"{_escape(reason)}." for reason in (scenario.reasons or (scenario.reason,)) if reason]
    for picture in ("timeline", "waterfall"):
        drawn = scenario.directory / f"{picture}.png"
        if drawn.exists():
            where = urllib.parse.quote(drawn.relative_to(folder).as_posix())
            lines.append(f"![{picture} of {scenario.directory.name}]({where})")
    rows = [f"| {' | '.join(_escape(c) for c in row)} |" for row in figure_rows(scenario)]
    if rows:
        head = "| figure | value | bounds | objective | verdict | because |\n|---|---|---|---|---|---|"
        lines.append("\n".join([head, *rows]))
    lines += [_escape(scenario.judged_by) + "."] if scenario.judged_by else []
    return "\n\n".join(lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").rstrip(".")
