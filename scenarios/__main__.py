"""python -m scenarios play FILE.toml ...: play schedules of faults without writing Python; `faults` lists what there is.

`observe` breaks nothing: it measures the outages that others cause.
"""

from __future__ import annotations

import argparse
import inspect
import math
import os
import sys
import textwrap
import threading
from pathlib import Path

import msgspec

from drill.history import History
from drill.host_environment import settle
from drill.measure.observed import is_observation
from drill.output import speak_utf8
from drill.run import Unproven
from drill.unusable import UnusableInput
from gameday.day import GameDay, check_options, ending_gracefully, enough_on_interrupt
from gameday.names import scenario_names
from gameday.options import Options, add_options
from gameday.play import Showing, observe, play
from gameday.scenario import Scenario
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.needs import require_needs
from infra_fixtures.orphan_runs import NotHealed
from infra_fixtures.planning.agreement import DryRun
from infra_fixtures.targets.parts import MissingPart
from reports.live import Live
from reports.run_directory import scenario_directory
from reports.signature import signing_key
from reports.terminal import real_console

OBSERVED = "observed"
"""The name of what was seen and not caused, among a run's scenarios."""
LONGEST_S = 86_400.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 everything as it was to come out, 1 something was not, 2 unusable input."""
    settle(os.environ)
    speak_utf8()
    parser = argparse.ArgumentParser(prog="python -m scenarios", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="play|observe|faults")
    playing = commands.add_parser("play", help="play scenarios that stand in TOML files, and judge them")
    playing.add_argument("files", nargs="+", type=Path, metavar="FILE.toml")
    add_options(playing.add_argument)
    observing = commands.add_parser(
        "observe", help="drive a system, break nothing, and measure outages that others cause"
    )
    observing.add_argument(
        "--for", dest="for_s", default=None, metavar="SECONDS", help="how long (default: until Ctrl-C)"
    )
    add_options(observing.add_argument)
    commands.add_parser("faults", help="the faults that a scenario can have, with their parameters")
    given = parser.parse_args(arguments)
    try:
        if given.command == "faults":
            return _faults()
        options = Options.read(lambda name: getattr(given, name))
        return _observe(_seconds(given.for_s), options) if given.command == "observe" else _play(given.files, options)
    except UnusableInput as e:
        print("\n".join(f"error: {line}" for line in str(e).splitlines()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1


def _play(files: list[Path], options: Options) -> int:
    scenarios = {path.stem: Scenario.read(path) for path in files}
    if len({scenario_directory(path.stem, 1) for path in files}) < len(files):
        raise UnusableInput("two of the files have the same name for a directory of records: rename one")
    check_options(options, {*scenarios, *scenario_names(Path(__file__).parent)})
    require_needs(options.runs_dir, signing_key)
    day = GameDay.begin(options)
    numbered = [(name, n) for name in scenarios for n in range(1, options.repeat + 1)]
    day.chosen = [scenario_directory(name, n) for name, n in numbered]
    complete = False
    with ending_gracefully():
        try:
            results = [_as_expected(day, scenarios[name], name, n) for name, n in numbered]
            complete = True
        finally:
            if day.has_records:
                _, falls_short = day.load_together()
                with real_console() as console:
                    day.report(console, complete=complete)
                print(f"records and reports: {day.run.path} (judge them again: python -m drill judge)")
    return 0 if all(results) and not falls_short else 1


def _seconds(given: str | None) -> float:
    try:
        seconds = LONGEST_S if given is None else float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_S:
        raise UnusableInput(f"--for {given} is no time: give seconds above 0, at most {LONGEST_S:g}, or leave it away")
    return seconds


def _observe(for_s: float, options: Options) -> int:
    """0 where it was observed and nothing missed; that no recovery time follows from an outage that nobody here caused is
    always said."""
    check_options(options, scenario_names(Path(__file__).parent))
    require_needs(options.runs_dir, signing_key)
    day = GameDay.begin(options)
    day.chosen = [OBSERVED]
    enough, missed = threading.Event(), False
    with ending_gracefully(), enough_on_interrupt(enough):
        try:
            with real_console() as console, Live(console, OBSERVED) as live:
                live.say("nothing is broken; Ctrl-C ends the observation")
                observe(day, OBSERVED, for_s, enough, Showing(live))
        except Unproven as e:
            print(f"{OBSERVED}: {e}", file=sys.stderr)
            missed = not _was_observed(day)
        except (AssertionError, MissingPart, GateNotPassed, NotHealed) as e:
            print(f"{OBSERVED}: {e}", file=sys.stderr)
            missed = True
        finally:
            if day.has_records:
                day.load_together()
                with real_console() as console:
                    day.report(console, complete=True)
                print(f"records and reports: {day.run.path} (judge them again: python -m drill judge)")
    return 1 if missed else 0


def _was_observed(day: GameDay) -> bool:
    """Whether the system was steady at first, so that anything can be said of what came then."""
    marks = History.load(day.run.scenario(OBSERVED, 1)).marks
    return is_observation(marks)


def _as_expected(day: GameDay, scenario: Scenario, name: str, repetition: int) -> bool:
    """Play one; whether it came out as it was to. A target that cannot play it says so, which proves nothing."""
    try:
        with real_console() as console, Live(console, name) as live:
            play(day, scenario, name, Showing(live), repetition)
    except DryRun as e:
        print(f"{name}: {e}")
    except (AssertionError, Unproven, NotSupported, MissingPart, GateNotPassed, NotHealed) as e:
        print(f"{name}: {e}", file=sys.stderr)
        return False
    return True


def _faults() -> int:
    for name, kind in catalogue().items():
        print(textwrap.indent(f"{name}: {inspect.getdoc(kind)}", "    ").removeprefix("    "))
        _show_fields(kind, "    ")
    return 0


def _show_fields(kind: type[msgspec.Struct], indent: str) -> None:
    """What may stand in its table, and in the tables within."""
    for field in msgspec.structs.fields(kind):
        default = "" if field.required else f" = {field.default!r}"
        is_class = inspect.isclass(field.type)
        kind_of_value = field.type.__name__ if is_class else str(field.type).removeprefix("typing.")
        print(f"{indent}{field.name}: {kind_of_value}{default}")
        if is_class and issubclass(field.type, msgspec.Struct):
            _show_fields(field.type, indent + "    ")


if __name__ == "__main__":
    sys.exit(main())
