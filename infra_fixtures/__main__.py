"""python -m infra_fixtures up|status|down|heal|preflight|policies: hold a topology up for a person, clean up after a run that
died, look at a system before a drill, and print what the harness must be allowed on AWS."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from drill.host_environment import settle
from drill.output import speak_utf8
from drill.unusable import UnusableInput
from infra_fixtures import usage
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.needs import require_needs
from infra_fixtures.orphan_runs import NotHealed, heal_orphan, orphans
from infra_fixtures.pace import parse_pace
from infra_fixtures.permissions import command as policies
from infra_fixtures.preflight.flight import described, require_ready, system_findings
from infra_fixtures.running_topology import RunningTopology, bring_down, find_running
from infra_fixtures.standing import standing
from infra_fixtures.targets import TARGETS, add_options, read_options


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is not as it should be, 2 unusable input."""
    settle(os.environ)
    speak_utf8()
    parser = argparse.ArgumentParser(prog="python -m infra_fixtures", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|status|down|heal|preflight|policies")
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
    preflight = commands.add_parser(
        "preflight", help="look at a system before a drill: 0 where nothing refuses it, 2 where something does"
    )
    preflight.add_argument("--target", default="embedded", help=f"one of {', '.join(TARGETS)} (default embedded)")
    preflight.add_argument("--runs-dir", type=Path, default=Path("reports/runs"), help="where runs are recorded")
    for command in (up, preflight):
        add_options(command.add_argument)
    policies.add_arguments(
        commands.add_parser("policies", help="print the IAM policies of the roles that the harness has")
    )
    parsed = parser.parse_args(arguments)
    try:
        if parsed.command == "policies":
            print(policies.printed(parsed), end="")
            return 0
        if parsed.target not in TARGETS:
            raise UnusableInput(f"--target {parsed.target} is unknown: give one of {', '.join(TARGETS)}")
        match parsed.command:
            case "up":
                options, pace = read_options(parsed.target, lambda name: getattr(parsed, name)), parse_pace(parsed.pace)
                require_needs(parsed.runs_dir)
                return _up(parsed.target, pace, parsed.runs_dir, options)
            case "preflight":
                options = read_options(parsed.target, lambda name: getattr(parsed, name))
                return _preflight(parsed.target, parsed.runs_dir, options)
            case "status":
                return _status(parsed.runs_dir)
            case "down":
                return _down(parsed.runs_dir)
            case _:
                return _heal(parsed.runs_dir)
    except UnusableInput as e:
        print("\n".join(f"error: {line}" for line in str(e).splitlines()), file=sys.stderr)
        return 2
    except NotHealed as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except GateNotPassed as e:
        print(f"error: the system could not be stood up: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _up(target: str, pace: float, runs_dir: Path, options: Mapping[str, Any]) -> int:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    with standing(target, pace=pace, runs_dir=runs_dir, options=options) as world:
        running = RunningTopology.of(world)
        with running.announced(runs_dir), usage.described(world) as lines:
            print(running.describe(), flush=True)
            print(f"\n{lines}", flush=True)
            print("Ctrl-C, or `python -m infra_fixtures down` elsewhere, brings it down.", flush=True)
            while not stop.wait(1.0):
                pass
            print("bringing it down ...", flush=True)
    return 0


def _preflight(target: str, runs_dir: Path, options: Mapping[str, Any]) -> int:
    """Stand the system up and look at it; raises NotReady where a drill of it is refused."""
    with standing(target, pace=10.0, runs_dir=runs_dir, options=options) as world:
        findings = system_findings(world)
    print(described(findings))
    require_ready(findings)
    return 0


def _status(runs_dir: Path) -> int:
    running = find_running(runs_dir)
    print("\n\n".join(h.describe() for h in running) if running else "nothing is held up")
    return 0


def _down(runs_dir: Path) -> int:
    running = find_running(runs_dir)
    for h in running:
        bring_down(h)
        print(f"{h.run_id} is down")
    if not running:
        print("nothing is held up")
    return 0


def _heal(runs_dir: Path) -> int:
    """Heal every run that died; 1 where something of one is left."""
    found, status = list(orphans(runs_dir)), 0
    for journal in found:
        try:
            print(heal_orphan(journal, by="heal"), flush=True)
        except NotHealed as e:
            print(f"error: {e}", file=sys.stderr)
            status = 1
    if not found:
        print("nothing to heal: no dead run left a fault or a process")
    return status


if __name__ == "__main__":
    sys.exit(main())
