"""What one process keeps of systems that it stood up and tore down, and of whole drills: descriptors, threads, memory.

Systems are stood up here, and drills run by pytest with the plugin that notes what is held after each
(`benchmarks.measuring.held_by_drills`, which also tells how to run as many as one likes). Fails where anything grows but
memory, of which the first times leave some for the next ones to use again.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.growth import WARM_UP, WIDTH, slopes, table
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.standing import standing
from tests.holdings import Holdings

SYSTEMS = 8
DRILLS = 6
SCENARIO = "nothing_broken"
"""The shortest."""
A_DRILL_S = 120.0
MEMORY = ("objects", "blocks", "RSS, MiB")
OF_THE_MACHINE = ("segments", "shared memory")
"""Runs of others that are killed meanwhile leave these."""


def measure() -> Iterator[Figure]:
    """The growth a system, and the growth a drill."""
    with tempfile.TemporaryDirectory(prefix="bench-leaks-") as runs_dir:
        yield from _growth(_systems(Path(runs_dir)), "system")
        yield from _growth(_drills(Path(runs_dir)), "drill")


def _systems(runs_dir: Path) -> list[Holdings]:
    name = f"leaks-{time.monotonic_ns()}"
    held = []
    for number in range(SYSTEMS):
        with standing("embedded", pace=10.0, runs_dir=runs_dir, run_id=f"{name}-{number}"):
            pass
        held.append(Holdings.of(name))
    return held


def _drills(runs_dir: Path) -> list[Holdings]:
    noted = runs_dir / "holdings.jsonl"
    plugin = ("-p", "benchmarks.measuring.held_by_drills", "--holdings", str(noted))
    chosen = ("-k", SCENARIO, "--repeat", str(DRILLS), "--runs-dir", str(runs_dir))
    command = [sys.executable, "-m", "pytest", "scenarios", *plugin, *chosen]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=A_DRILL_S * DRILLS)
    lines = noted.read_bytes().splitlines() if noted.exists() else []
    if len(lines) < DRILLS:
        raise Failed(f"only {len(lines)} of {DRILLS} drills were run: {done.stdout[-500:]}{done.stderr[-500:]}")
    return [msgspec.json.decode(line, type=Holdings) for line in lines]


def _growth(held: Sequence[Holdings], time_of: str) -> Iterator[Figure]:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(table(held, time_of))
    growth = slopes(held)
    note = f"after each of {len(held)}, the first {WARM_UP} left out"
    for name, slope in growth.items():
        yield Figure(f"{name} a {time_of}", slope, "", note)
    growing = [name for name, slope in growth.items() if slope > 0 and name not in (*MEMORY, *OF_THE_MACHINE)]
    if growing:
        raise Failed(f"with each {time_of} there are more {', '.join(growing)}")
