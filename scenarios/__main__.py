"""python -m scenarios play FILE.toml ...: play schedules of faults without writing Python; `faults` lists what there is, `fis`
writes them as experiment templates of AWS FIS."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
import textwrap
from pathlib import Path

import msgspec

from drill.host_environment import settle
from drill.objective import nearest
from drill.output import speak_utf8
from drill.run import Unproven
from drill.unusable import UnusableInput
from gameday.day import GameDay, check_options, ending_gracefully
from gameday.fis_templates import written
from gameday.names import scenario_names
from gameday.options import Options, add_options
from gameday.play import Showing, play
from gameday.scenario import Scenario
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.fis.written import Place
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.needs import require_needs
from infra_fixtures.orphan_runs import NotHealed
from infra_fixtures.targets.parts import MissingPart
from reports.live import Live
from reports.run_directory import scenario_directory
from reports.signature import signing_key
from reports.terminal import real_console


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 everything as it was to come out, 1 something was not, 2 unusable input."""
    settle(os.environ)
    speak_utf8()
    parser = argparse.ArgumentParser(prog="python -m scenarios", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="play|faults|fis")
    playing = commands.add_parser("play", help="play scenarios that stand in TOML files, and judge them")
    playing.add_argument("files", nargs="+", type=Path, metavar="FILE.toml")
    add_options(playing.add_argument)
    commands.add_parser("faults", help="the faults that a scenario can have, with their parameters")
    _add_fis(commands.add_parser("fis", help="write scenarios or faults as experiment templates of AWS FIS"))
    given = parser.parse_args(arguments)
    try:
        if given.command == "faults":
            return _faults()
        if given.command == "fis":
            return _fis(given)
        return _play(given.files, Options.read(lambda name: getattr(given, name)))
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


def _as_expected(day: GameDay, scenario: Scenario, name: str, repetition: int) -> bool:
    """Play one; whether it came out as it was to. A target that cannot play it says so, which proves nothing."""
    try:
        with real_console() as console, Live(console, name) as live:
            play(day, scenario, name, Showing(live), repetition)
    except (AssertionError, Unproven, NotSupported, MissingPart, GateNotPassed, NotHealed) as e:
        print(f"{name}: {e}", file=sys.stderr)
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
