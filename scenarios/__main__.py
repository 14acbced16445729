"""python -m scenarios play FILE.toml ...: play schedules of faults without writing Python; `faults` lists what there is.

`observe` breaks nothing: it measures the outages that others cause. `fis` writes faults as experiment templates of AWS FIS.
"""

from __future__ import annotations

import argparse
import inspect
import math
import os
import re
import sys
import textwrap
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drill.history import History
from drill.host_environment import settle
from drill.measure.observed import is_observation
from drill.objective import nearest
from drill.output import plain, speak_utf8
from drill.run import Unproven
from drill.unusable import UnusableInput
from gameday.day import GameDay, check_options, ending_gracefully, enough_on_interrupt
from gameday.fis_templates import written
from gameday.foresight import require_playable
from gameday.names import scenario_names
from gameday.options import Options, add_options
from gameday.play import Showing, observe, play
from gameday.scenario import Scenario
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.fis.written import Place
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.needs import require_needs
from infra_fixtures.orphan_runs import NotHealed
from infra_fixtures.planning.agreement import DryRun
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets import outlook_of
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="play|observe|faults|fis")
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
    _add_fis(commands.add_parser("fis", help="write scenarios or faults as experiment templates of AWS FIS"))
    given = parser.parse_args(arguments)
    try:
        if given.command == "faults":
            return _faults()
        if given.command == "fis":
            return _fis(given)
        options = Options.read(lambda name: getattr(given, name))
        return _observe(_seconds(given.for_s), options) if given.command == "observe" else _play(given.files, options)
    except UnusableInput as e:
        print("\n".join(f"error: {plain(line)}" for line in str(e).split("\n")), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 1


def _play(files: list[Path], options: Options) -> int:
    scenarios = {path.stem: Scenario.read(path) for path in files}
    if len({scenario_directory(path.stem, 1) for path in files}) < len(files):
        raise UnusableInput("two of the files have the same name for a directory of records: rename one")
    check_options(options, {*scenarios, *scenario_names(Path(__file__).parent)})
    _require_playable(dict(zip(files, scenarios.values(), strict=True)), options)
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
                print(f"records and reports: {plain(day.run.path)} (judge them again: python -m drill judge)")
    return 0 if all(results) and not falls_short else 1


def _require_playable(scenarios: Mapping[Path, Scenario], options: Options) -> None:
    """Refuse what the target is known to be unable to play, before anything is made."""
    outlook = outlook_of(Header("", options.target, options.pace, dict(options.of_target), ""))
    if outlook is not None:
        for path, scenario in scenarios.items():
            require_playable(scenario, outlook, source=str(path), stop=options.stop)


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
        except DryRun as e:
            print(f"{OBSERVED}: {e}")
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
        print(plain(f"{name}: {e}"), file=sys.stderr)
        return False
    return True


def _add_fis(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("scenarios", nargs="+", metavar="FILE.toml|FAULT", help="scenarios, or faults by their names")
    add("--account", required=True, help="the AWS account of the experiment, 12 digits")
    add(
        "--tag",
        required=True,
        action="append",
        metavar="KEY=VALUE",
        help="what may be hit carries this tag; repeatable",
    )
    add("--primary", default="us-east-1", help="the region that serves in normal operation (default us-east-1)")
    add("--standby", default="us-west-2", help="the region that takes over (default us-west-2)")
    add("--lasts", type=float, default=600.0, metavar="SECONDS", help="of a fault without for_s (default 600)")
    add("--role", default="", metavar="ARN", help="the experiment's role (default: one is written with the template)")
    add("--log-group", default="", metavar="NAME", help="the CloudWatch log group that FIS writes to (default: none)")
    add("--cloudformation", action="store_true", help="one CloudFormation template instead of files for AWS's CLI")
    add("--to", type=Path, default=Path("fis"), metavar="DIR", help="where the files are written (default fis)")


def _fis(given: argparse.Namespace) -> int:
    """Write each scenario's files; nothing is written where FIS cannot do one of them."""
    place = Place(_account(given.account), given.primary, given.standby, _tags(given.tag), given.lasts)
    found = {}
    for text in given.scenarios:
        name, scenario = _scenario(text)
        found[name] = written(
            name,
            scenario,
            place,
            role_arn=given.role,
            log_group=given.log_group,
            cloudformation=given.cloudformation,
        )
    for name, made in found.items():
        for path in made.write(given.to, name):
            print(path)
        for note in made.notes:
            print(f"note: {name}: {note}")
    return 0


def _scenario(text: str) -> tuple[str, Scenario]:
    """A file's, or one of a lone fault with its parameters as by default."""
    kind = catalogue().get(text)
    if kind is None:
        if not text.endswith(".toml"):
            raise UnusableInput(f"{text} is neither a TOML file nor a fault: {nearest(text, catalogue())}")
        return Path(text).stem, Scenario.read(Path(text))
    return text, Scenario(Schedule.from_tables([{"fault": text}], source=text))


def _account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise UnusableInput(f"--account {text} is no AWS account: give its 12 digits")
    return text


def _tags(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise UnusableInput(f"--tag {key} is no tag: give KEY=VALUE")
    return {key: value for key, _, value in pairs}


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
