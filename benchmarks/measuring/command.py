"""The command line: find the benchmarks, run them one after the other, show a table, write JSON."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import pkgutil
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.measuring.figure import Failed, Figure, Skipped
from drill.unusable import UnusableInput

WIDTH = 150
"""Columns of the table where there is no terminal to ask."""


@dataclass(slots=True)
class Report:
    """What one benchmark gave: its figures, and why it was skipped or failed, if it was."""

    benchmark: str
    figures: list[Figure] = field(default_factory=list)
    skipped: str | None = None
    failed: str | None = None
    took_s: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every benchmark ran or was skipped, 1 when one failed, 2 for unusable options.

    Ctrl-C ends the benchmark under way and shows what was measured until then; 130.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure what this harness costs and holds."
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these benchmarks only")
    parser.add_argument("--list", action="store_true", help="name them, with what each measures, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    said = parser.parse_args(arguments)
    names = discovered()
    if said.list:
        _show_list(names)
        return 0
    chosen = said.only or names
    for name in chosen:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            print(f"error: there is no benchmark {name}; {hint}", file=sys.stderr)
            return 2
    if said.json is not None and not said.json.resolve().parent.is_dir():
        print(f"error: the directory of --json {said.json} does not exist: make it first", file=sys.stderr)
        return 2
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    reports: list[Report] = []
    interrupted = False
    try:
        for name in chosen:
            reports.append(_run(name, console))  # noqa: PERF401 what an interrupt ends keeps those before it
    except KeyboardInterrupt:
        interrupted = True
    console.print(_table(reports))
    for report in reports:
        if report.skipped or report.failed:
            what, why = ("skipped", report.skipped) if report.skipped else ("FAILED", report.failed)
            console.print(f"{report.benchmark} {what}: {why}", markup=False)
    if said.json is not None:
        said.json.write_bytes(msgspec.json.format(msgspec.json.encode(_as_json(reports)), indent=2) + b"\n")
    if interrupted:
        print("interrupted: what had not ended is missing above", file=sys.stderr)
        return 130
    return 1 if any(r.failed for r in reports) else 0


def discovered() -> list[str]:
    """The benchmarks there are: every module of the folder."""
    found = pkgutil.iter_modules(benchmarks.__path__)
    return sorted(m.name for m in found if not m.ispkg and not m.name.startswith("_"))


def _run(name: str, console: Console) -> Report:
    """Run one; what it raises ends it alone."""
    report = Report(name)
    console.print(f"[bold]{name}[/]")
    began = time.monotonic()
    try:
        for figure in importlib.import_module(f"benchmarks.{name}").measure():
            report.figures.append(figure)
            console.print(f"  {figure.name}: {_value(figure)} {_spread(figure)}", markup=False)
    except Skipped as e:
        report.skipped = str(e)
    except (Failed, UnusableInput) as e:
        report.failed = str(e)
    except Exception as e:  # the others still run
        report.failed = f"{type(e).__name__}: {e}"
        console.print_exception(max_frames=8)
    report.took_s = time.monotonic() - began
    return report


def _show_list(names: Sequence[str]) -> None:
    for name in names:
        try:
            what = (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().partition("\n")[0]
        except Exception as e:  # one that cannot be imported is listed all the same
            what = f"(cannot be imported: {type(e).__name__}: {e})"
        print(f"{name}: {what}")


def _table(reports: Sequence[Report]) -> Table:
    table = Table(title=_machine(), title_justify="left")
    table.add_column("benchmark", no_wrap=True)
    table.add_column("figure")
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("least .. greatest", justify="right", no_wrap=True)
    table.add_column("note")
    for report in reports:
        name = f"{report.benchmark} ({report.took_s:.0f} s)"
        for figure in report.figures:
            table.add_row(name, figure.name, _value(figure), _spread(figure), figure.note)
            name = ""
        if report.skipped or report.failed:
            table.add_row(name, "[yellow]skipped[/]" if report.skipped else "[bold red]FAILED[/]", "", "", "see below")
        table.add_section()
    return table


def _value(figure: Figure) -> str:
    return f"{_number(figure.value)} {figure.unit}".strip()


def _spread(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.low)} .. {_number(figure.high)}"


def _number(value: float) -> str:
    if abs(value) >= 1000 or (float(value).is_integer() and abs(value) >= 100):
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _machine() -> str:
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _as_json(reports: Sequence[Report]) -> dict[str, object]:
    return {
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
        },
        "benchmarks": [asdict(r) for r in reports],
    }
