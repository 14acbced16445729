"""`python -m drill judge DIR`: judge a stored drill, or every drill of a stored run, from its raw records alone.

`python -m drill import FILE... -o DIR`: make such records of the results of another load tool (docs/import.md).

Exit status: 0 all MET, 1 something MISSED or UNPROVEN, 2 unusable input (one line on stderr). A check of the harness itself
counts apart: it must come out as it is expected to, and makes 1 where it does not.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from drill.evidence import Judged, Judgement
from drill.imports import command
from drill.objective import Verdict
from drill.output import plain, speak_utf8
from drill.repetition import Repetitions
from drill.stored import Stored, find_stored, refuse_misspelt, repeated
from drill.unusable import UnusableInput

WIDTH = 160
"""Columns of the table where there is no terminal to ask."""
STYLES = {Verdict.MET: "green", Verdict.MISSED: "bold red", Verdict.UNPROVEN: "yellow"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    speak_utf8()
    parser = argparse.ArgumentParser(prog="python -m drill", description=__doc__.partition("\n")[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    again = commands.add_parser("judge", help="judge stored records again")
    again.add_argument("directory", type=Path, metavar="DIR", help="a scenario's or a run's directory")
    again.add_argument("--objectives", type=Path, metavar="FILE", help="default: those the run recorded")
    again.add_argument("--json", action="store_true", help="print verdict.json (of a run: a list of them)")
    other = commands.add_parser("import", help="make records of the results of another load tool")
    other.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="what k6, Locust, JMeter, vegeta, Gatling wrote"
    )
    other.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the records go")
    command.add_arguments(other)
    said = parser.parse_args(arguments)
    try:
        if said.command == "import":
            print("\n".join(command.run(said)))
            return 0
        return _judge(said)
    except UnusableInput as e:
        print(f"error: {plain(' '.join(str(e).split()))}", file=sys.stderr)
        return 2


def _judge(said: argparse.Namespace) -> int:
    stored = find_stored(said.directory)
    if said.objectives:
        refuse_misspelt(said.objectives, stored)
    judgements = [(s, s.judge(said.objectives)) for s in stored]
    single = len(stored) == 1 and not (said.directory / "scenarios").is_dir()
    together = [] if single else repeated(judgements, said.objectives)
    whole = [s.verdict_json(j, said.objectives) for s, j in judgements]
    expected = {s.scenario: s.expected for s in stored}
    if said.json:
        whole += [r.to_json(**context) for r, context in together]
        print(msgspec.json.format(msgspec.json.encode(whole[0] if single else whole), indent=2).decode())
    else:
        _show(judgements, [r for r, _ in together], said.objectives)
    as_expected = [s.expected.met_by(j.verdict, j.doubts) for s, j in judgements]
    # of a check of the harness each run counts by itself: it shows no reliability of the system
    as_expected += [r.verdict is Verdict.MET for r, _ in together if not expected[r.scenario].is_check]
    return 0 if all(as_expected) else 1


def _show(
    judgements: list[tuple[Stored, Judgement]], together: list[Repetitions], objectives_file: Path | None
) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    for stored, judgement in judgements:
        context = " ".join(f"{k}={v}" for k, v in stored.context.items() if k != "scenario")
        if stored.expected.is_check:
            met = stored.expected.met_by(judgement.verdict, judgement.doubts)
            came = "as intended" if met else f"NOT as intended, which is {stored.expected}"
            context = f"(harness check {came}) {context}"
        _show_figures(console, stored.scenario, judgement, context)
        console.print(plain(stored.objectives(objectives_file).sentence()), markup=False)
    for repetitions in together:
        _show_figures(console, repetitions.scenario, repetitions, f"{repetitions.requested} runs together")


def _show_figures(console: Console, name: str, judged: Judgement | Repetitions, context: str) -> None:
    title = Text.assemble(f"{name}: ", (str(judged.verdict), STYLES[judged.verdict]), f" {context}", style="italic")
    table = Table(title=title, title_justify="left")
    for column, justify in (
        ("measurement", "left"),
        ("value", "right"),
        ("bounds", "right"),
        ("objective", "right"),
    ):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("verdict", no_wrap=True)
    table.add_column("because")
    for figure, one in judged.measurements.items():
        if one.verdict is not None or one.value is not None:
            table.add_row(figure, *_cells(one))
    console.print(table)
    for reason in judged.reasons:
        console.print(f"  - {plain(reason)}", markup=False)


def _cells(judged: Judged) -> tuple[str | Text, ...]:
    bounds = "" if judged.lower == judged.upper else f"{_number(judged.lower)} .. {_number(judged.upper)}"
    sign = ">=" if judged.measurement.name == "reliability" else "<="
    limit = "" if judged.limit is None else f"{sign} {_number(judged.limit)}"
    verdict = Text() if judged.verdict is None else Text(str(judged.verdict), STYLES[judged.verdict])
    unit = judged.unit if judged.unit == "s" else ""
    return f"{_number(judged.value)} {unit}".strip(), bounds, limit, verdict, Text(judged.because)


def _number(value: float | None) -> str:
    if value is None:
        return "?"
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


if __name__ == "__main__":
    sys.exit(main())
