"""Topologies held up, looked at, healed, described; what the harness must be allowed; see each command's --help."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from drill.host_environment import settle
from drill.output import plain, speak_utf8
from drill.unusable import UnusableInput
from infra_fixtures import usage
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.needs import require_needs
from infra_fixtures.orphan_runs import NotHealed, heal_orphan, is_orphan, journals, left_elsewhere, refuse_orphans
from infra_fixtures.pace import parse_pace
from infra_fixtures.permissions import command as policies
from infra_fixtures.planning.agreement import DryRun, agreed
from infra_fixtures.planning.plan import Intent
from infra_fixtures.planning.readiness import account_findings, require_account
from infra_fixtures.preflight.flight import described, require_ready, system_findings
from infra_fixtures.running_topology import DOWN_TIMEOUT_S, RunningTopology, bring_down, find_running
from infra_fixtures.safety.journal import Header
from infra_fixtures.standing import new_run_id, standing
from infra_fixtures.targets import TARGETS, add_options, is_guarded, module_of, pace_of, read_options
from infra_fixtures.targets.attach import questions
from infra_fixtures.targets.emulated_account import emulated_account
from infra_fixtures.targets.orphan import NotGone
from infra_fixtures.trail import compared


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra_fixtures", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="stand the topology up, print its endpoints, hold it until Ctrl-C or `down`")
    status = commands.add_parser("status", help="what stands, with its endpoints")
    down = commands.add_parser("down", help="bring down what `up` holds")
    heal = commands.add_parser(
        "heal", help="heal what a dead run left: undo its faults, end its processes, remove its files"
    )
    preflight = commands.add_parser(
        "preflight", help="look at a system before a drill: 0 where nothing refuses it, 2 where something does"
    )
    trail = commands.add_parser("trail", help="compare a run's own log of calls with CloudTrail's (docs/aws.md)")
    trail.add_argument("run", type=Path, help="the directory of its records")
    attach = commands.add_parser("attach", help="describe a system that stands already (docs/attach.md)")
    attach.add_argument("--init", action="store_true", required=True, help="ask for it, reach it, and write the file")
    attach.add_argument("--topology", type=Path, default=Path("system.toml"), help="the file (default system.toml)")
    questions.add_flags(attach.add_argument)
    emulate = commands.add_parser(
        "emulate", help="give an empty AWS account on this machine until Ctrl-C (docs/aws.md)"
    )
    policies.add_arguments(
        commands.add_parser("policies", help="print the IAM policies of the roles that the harness has")
    )
    for command in (up, status, down, heal, preflight):
        command.add_argument("--target", default="embedded", help=f"one of {', '.join(TARGETS)} (default embedded)")
        command.add_argument("--runs-dir", type=Path, default=Path("reports/runs"), help="where runs are recorded")
    for command in (up, emulate):
        command.add_argument(
            "--pace", default="10", help="how many times faster than AWS's the timers run (default 10)"
        )
    for command in (up, down, preflight):
        add_options(command.add_argument)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 something is not as it should be, 2 unusable input."""
    settle(os.environ)
    speak_utf8()
    parsed = _parser().parse_args(arguments)
    try:
        match parsed.command:
            case "emulate":
                return _emulate(parse_pace(parsed.pace))
            case "attach":
                return _describe(parsed.topology, vars(parsed))
            case "policies":
                print(policies.printed(parsed), end="")
                return 0
            case "trail":
                return _compare(parsed.run)
        if parsed.target not in TARGETS:
            raise UnusableInput(f"--target {parsed.target} is unknown: give one of {', '.join(TARGETS)}")
        match parsed.command:
            case "up":
                options = read_options(parsed.target, lambda name: getattr(parsed, name))
                pace = pace_of(parsed.target, parse_pace(parsed.pace))
                require_needs(parsed.runs_dir)
                return _up(parsed.target, pace, parsed.runs_dir, options)
            case "preflight":
                options = read_options(parsed.target, lambda name: getattr(parsed, name))
                return _preflight(parsed.target, parsed.runs_dir, options)
            case "status":
                return _status(parsed.runs_dir)
            case "down":
                _down(parsed.runs_dir)
                return _take_down(parsed.target, parsed.runs_dir, lambda name: getattr(parsed, name))
            case _:
                return _heal(parsed.runs_dir)
    except UnusableInput as e:
        print("\n".join(f"error: {plain(line)}" for line in str(e).split("\n")), file=sys.stderr)
        return 2
    except (NotHealed, NotGone) as e:
        print(f"error: {plain(e)}", file=sys.stderr)
        return 1
    except GateNotPassed as e:
        print(f"error: the system could not be stood up: {plain(e)}", file=sys.stderr)
        return 1
    except DryRun as e:
        print(e)
        return 0
    except KeyboardInterrupt:
        return 1


def _show(text: str) -> None:
    print(text, flush=True)


def _until_told() -> threading.Event:
    """Is set by Ctrl-C and SIGTERM."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop


def _emulate(pace: float) -> int:
    """Hold an emulated account; 2 where one of its processes ends by itself."""
    stop = _until_told()
    with emulated_account(pace=pace) as account:
        print(account.describe(), flush=True)
        print("\nCtrl-C ends it, with all that is in it.", flush=True)
        while not stop.wait(1.0):
            account.require_alive()
    return 0


def _up(target: str, pace: float, runs_dir: Path, options: Mapping[str, Any]) -> int:
    run_id = new_run_id()
    directory = Path(runs_dir, run_id)
    run = Header(run_id, target, pace, dict(options), tempfile.gettempdir(), str(directory))
    if is_guarded(target, options):
        refuse_orphans(runs_dir)
    require_account(run, _show)
    agreed_to = agreed(run, Intent(title="the topology, held up"), None, directory, _show)
    stop = _until_told()  # until now Ctrl-C ends whoever is asked
    with standing(target, pace=pace, runs_dir=runs_dir, run_id=run_id, options=agreed_to.options) as world:
        running = RunningTopology.of(world)
        with running.announced(runs_dir), usage.described(world) as lines:
            print(_shown(running), flush=True)
            print(f"\n{lines}", flush=True)
            print("Ctrl-C, or `python -m infra_fixtures down` elsewhere, brings it down.", flush=True)
            while not stop.wait(1.0):
                pass
            print("bringing it down ...", flush=True)
    return 0


def _preflight(target: str, runs_dir: Path, options: Mapping[str, Any]) -> int:
    """Look at who acts in a real account, or at a system that is stood up for it; raises NotReady where a drill is refused.

    In a real account nothing is made for it: its system is looked at once it stands, before it is broken.
    """
    run_id, pace = new_run_id(), pace_of(target, 10.0)
    run = Header(run_id, target, pace, dict(options), tempfile.gettempdir(), str(Path(runs_dir, run_id)))
    findings = account_findings(run)
    if not is_guarded(target, options):
        with standing(target, pace=pace, runs_dir=runs_dir, run_id=run_id, options=options) as world:
            findings = system_findings(world)
    print(described(findings) or "nothing can be looked at before this target is drilled")
    require_ready(findings)
    return 0


def _describe(path: Path, given: Mapping[str, Any]) -> int:
    """Write the description of a system; 1 where a part of it does not answer as described."""
    ask = input if sys.stdin.isatty() else None
    described = questions.write(path, questions.answers(given, ask))
    print(f"{path} is written; drill it: python -m scenarios play scenarios/schedules/attached.toml --target attach "
          f"--topology {path}")  # fmt: skip
    reached = list(questions.reached(described, path.parent))
    for fits, sentence in reached:
        print(f"  {'' if fits else 'NOT AS DESCRIBED '}{sentence}")
    return 0 if all(fits for fits, _ in reached) else 1


def _compare(run: Path) -> int:
    """0 where CloudTrail and the run's own log tell of the same."""
    comparison = compared(run)
    print("\n".join(map(plain, comparison.describe().splitlines())))
    return 0 if comparison.agrees else 1


def _status(runs_dir: Path) -> int:
    running = find_running(runs_dir)
    print("\n\n".join(_shown(h) for h in running) if running else "nothing is held up")
    return 0


def _down(runs_dir: Path) -> None:
    running = find_running(runs_dir)
    for h in running:
        bring_down(h, getattr(module_of(h.target), "TAKE_DOWN_S", DOWN_TIMEOUT_S))
        print(f"{plain(h.run_id)} is down")
    if not running:
        print("nothing is held up")


def _take_down(target: str, runs_dir: Path, given: Callable[[str], Any]) -> int:
    """Remove a system that outlives its runs, where the target has such and the options name one."""
    take_down = getattr(module_of(target), "take_down", None)
    if take_down is None:
        return 0
    run_id = new_run_id()
    directory = Path(runs_dir, run_id)
    run = Header(run_id, target, 1.0, read_options(target, given), tempfile.gettempdir(), str(directory))
    said = take_down(
        run, lambda: agreed(run, Intent(title="the removal of the system"), None, directory, _show).options
    )
    if said is not None:
        print(said)
    return 0


def _shown(running: RunningTopology) -> str:
    return "\n".join(map(plain, running.describe().split("\n")))


def _heal(runs_dir: Path) -> int:
    """Heal every run that died; 1 where something of one is left. Runs of other directories are told of alone."""
    found, status, here = False, 0, journals(runs_dir)
    for journal in here:
        try:
            if is_orphan(journal):
                found = True
                print(plain(heal_orphan(journal, by="heal")), flush=True)
        except (NotHealed, UnusableInput) as e:  # one that cannot be healed keeps no other from being healed
            print(f"error: {plain(e)}", file=sys.stderr)
            found, status = True, 1
    for line in left_elsewhere({journal.parent.name for journal in here}):
        print(f"note: {plain(line)}", file=sys.stderr)
    if not found:
        print(plain(f"nothing to heal: no dead run under {runs_dir} left a fault or a process"))
    return status


if __name__ == "__main__":
    sys.exit(main())
