"""The verdict table a game day ends with: what was measured against what was wanted, and what was not proven.

It must read without colour and at 80 columns: a verdict is a word, bounds and limits stand beneath their figure.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from reports.figure import Figure
from reports.limitations import fidelity_statement, judged_by, not_proven
from reports.record import Run, Scenario
from reports.summary import repeated_row
from reports.wording import SHORT, bracket, count, limit, seconds, value

COLOURS = {"MET": "green", "MISSED": "bold red", "UNPROVEN": "bold yellow"}
BREAK = 16


def verdict_table(run: Run, width: int) -> RenderableType:
    """The table, the decisive reasons, the fidelity and what this run did not prove, for a terminal `width` wide."""
    tables = (
        _table(run, names=names, bounds=bounds) for names, bounds in ((False, False), (True, False), (True, True))
    )
    table = next(tables)
    for narrower in tables:
        if Console(width=10_000).measure(table).maximum > width:
            table = narrower
    head = Text.assemble(
        ("Verdicts ", "bold"),
        f"of run {run.run_id}: target {run.target}, pace {run.pace:g}, ",
        (run.tally, COLOURS[run.verdict]),
    )
    return Group(_Hanging(head), Text(), table, *_reasons(run), *_repeated(run), *_limitations(run))


def print_verdicts(run: Run, console: Console) -> None:
    """Print the table to `console` at its width."""
    console.print()
    console.print(verdict_table(run, console.width), highlight=False)


def _table(run: Run, *, names: bool, bounds: bool) -> Table:
    """The table; to be narrower, `names` of scenarios or `bounds` of figures may be broken into lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 1, 0), header_style="bold", show_edge=False)
    table.add_column("Scenario", no_wrap=True)
    table.add_column("Verdict", no_wrap=True)
    for name in ("RTO", "RPO", "Lost", "Lag p99", "Down", "Acked"):
        table.add_column(name, justify="right", no_wrap=True)
    for scenario in (*run.drills, *run.checks):
        table.add_row(
            Text(_broken(scenario.identifier) if names else scenario.identifier),
            _verdict(scenario),
            _figure(scenario.figure("rto_s"), broken=bounds),
            _figure(scenario.figure("rpo_s"), broken=bounds),
            _lost(scenario),
            _figure(scenario.figure("lag_p99_s"), bounds=False),
            seconds(scenario.figure("downtime_s").value),
            count(scenario.figure("acked_writes").value),
        )
    return table


def _verdict(scenario: Scenario) -> Text:
    """The verdict; that of a check of the harness says whether it came out as it had to."""
    if scenario.is_check:
        intended = "(intended)" if scenario.as_intended else "(unintended)"
        return Text(f"{scenario.verdict}\n{intended}", style=COLOURS[scenario.counts_as])
    return Text(scenario.verdict, style=COLOURS.get(scenario.verdict, ""))


def _figure(figure: Figure, *, bounds: bool = True, broken: bool = False) -> str:
    between = bracket(figure).replace(", ", ",\n") if broken else bracket(figure)
    lines = [value(figure), between if bounds else "", limit(figure)]
    return "\n".join(x for x in lines if x)


def _lost(scenario: Scenario) -> str:
    """Lost writes; those acknowledged after the fault are another defect (split brain) and never hidden in the sum."""
    lost, after = scenario.figure("lost_writes"), scenario.figure("lost_after_fault")
    lines = [count(lost.value), limit(lost)]
    if after.value:
        lines.insert(1, f"+{count(after.value)} split")
    return "\n".join(x for x in lines if x)


def _broken(name: str) -> str:
    """The identifier broken after an underscore, never in a word, so that it can be read in a narrow column."""
    lines, line = [], ""
    for part in name.replace("_", "_\0").split("\0"):
        if line and len(line) + len(part) > BREAK:
            lines.append(line)
            line = ""
        line += part
    return "\n".join([*lines, line])


def _reasons(run: Run) -> list[RenderableType]:
    found: list[RenderableType] = []
    for s in (*run.drills, *run.checks):
        if s.counts_as == "MET":
            continue
        said = f"{SHORT[s.counts_as].split()[0]} {s.outcome}" if s.is_check else SHORT[s.verdict]
        why = s.reason or "no reason was recorded"
        found.append(_Hanging(Text.assemble((said, COLOURS[s.counts_as]), f" {s.identifier}: {why}")))
    return [Text(), *found, Text()] if found else [Text()]


def _repeated(run: Run) -> list[RenderableType]:
    """Several runs of a scenario together: how many met it, median and worst, and what that shows."""
    if not run.repeated:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for i, name in enumerate(("Several runs", "Met RTO", "Median", "Worst", "RPO worst", "Shown", "For 95 %")):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for r in run.repeated:
        style = COLOURS.get(r.verdict, "") if r.figure("reliability").objective is not None else ""
        table.add_row(Text(_broken(r.scenario)), *(Text(cell, style=style) for cell in repeated_row(r)))
    return [table, Text(), *(_Hanging(Text(f"{r.scenario}: {r.shown}")) for r in run.repeated), Text()]


def _limitations(run: Run) -> list[RenderableType]:
    found: list[RenderableType] = [
        _Hanging(Text.assemble(("Fidelity ", "bold"), fidelity_statement(run))),
        Text(),
        *(_Hanging(Text(sentence)) for sentence in judged_by(run)),
        *(_Hanging(Text(sentence)) for sentence in run.signatures),
        Text(),
        Text("What this run did not prove", style="bold"),
    ]
    return [*found, *(_Hanging(Text(f"- {sentence}")) for sentence in not_proven(run))]


class _Hanging:
    """A line wrapped with its further lines set in by two."""

    def __init__(self, line: Text) -> None:
        self.line = line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for i, line in enumerate(self.line.wrap(console, options.max_width - 2)):
            line.rstrip()
            yield line if i == 0 else Text("  ") + line
