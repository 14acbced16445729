"""python -m infra_fixtures up|status|down|heal: hold a topology up for a person, and clean up after a run that died."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures import usage
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.held import Held, bring_down, find_held
from infra_fixtures.safety.recovery import heal_dead_runs
from infra_fixtures.targets import TARGETS, add_options, read_options, standing


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is not as it should be, 2 unusable input."""
    parser = argparse.ArgumentParser(prog="python -m infra_fixtures", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|status|down|heal")
    up = commands.add_parser("up", help="stand the topology up, print its endpoints, hold it until Ctrl-C or `down`")
    for name, help_ in (
        ("status", "what stands, with its endpoints"),
        ("down", "bring down what `up` holds"),
        ("heal", "heal what a dead run left: undo its faults, end its processes, remove its files"),
    ):
        commands.add_parser(name, help=help_)
    for command in commands.choices.values():
        command.add_argument("--target", default="embedded", help=f"one of {', '.join(TARGETS)} (default embedded)")
        command.add_argument("--runs-dir", type=Path, default=Path("reports/runs"), help="where runs are recorded")
    up.add_argument("--pace", default="10", help="how many times faster than AWS's the timers run (default 10)")
    add_options(up.add_argument)
    given = parser.parse_args(arguments)
    try:
        if given.target not in TARGETS:
            raise UnusableInput(f"--target {given.target} is unknown: give one of {', '.join(TARGETS)}")
        match given.command:
            case "up":
                options = read_options(given.target, lambda name: getattr(given, name))
                return _up(given.target, parse_pace(given.pace), given.runs_dir, options)
            case "status":
                return _status(given.runs_dir)
            case "down":
                return _down(given.runs_dir)
            case _:
                return _heal(given.runs_dir)
    except UnusableInput as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except GateNotPassed as e:
        print(f"error: the system could not be stood up: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def parse_pace(text: str) -> float:
    """A pace of at least 1; UnusableInput for anything else."""
    try:
        pace = float(text)
    except ValueError:
        pace = float("nan")
    if not 1 <= pace <= 100:
        raise UnusableInput(f"--pace {text} is no pace: give a number from 1 (AWS's own timers) to 100")
    return pace


def _up(target: str, pace: float, runs_dir: Path, options: Mapping[str, Any]) -> int:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    with standing(target, pace=pace, runs_dir=runs_dir, options=options) as world:
        held = Held.of(world)
        with held.announced(runs_dir):
            print(held.describe(), flush=True)
            print(f"\n{usage.describe(world)}", flush=True)
            print("Ctrl-C, or `python -m infra_fixtures down` elsewhere, brings it down.", flush=True)
            while not stop.wait(1.0):
                pass
            print("bringing it down ...", flush=True)
    return 0


def _status(runs_dir: Path) -> int:
    held = find_held(runs_dir)
    print("\n\n".join(h.describe() for h in held) if held else "nothing is held up")
    return 0


def _down(runs_dir: Path) -> int:
    held = find_held(runs_dir)
    for h in held:
        bring_down(h)
        print(f"{h.run_id} is down")
    if not held:
        print("nothing is held up")
    return 0


def _heal(runs_dir: Path) -> int:
    said = heal_dead_runs(runs_dir)
    print("\n".join(said) if said else "nothing to heal: no dead run left a fault or a process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
