"""Scenarios as pytest tests: `play` plays one, Allure and JUnit hear of it, the verdict table ends the session."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from drill.evidence import Judgement
from drill.objective import objective_tables
from drill.stored import judge_together
from drill.unusable import UnusableInput
from gameday.day import GameDay, check_options, end_gracefully
from gameday.fresh_start import SCENARIOS, need_plugins, plays_scenarios
from gameday.names import refuse_unknown_parameters, repetition_of, scenario_names
from gameday.options import Options
from gameday.play import Showing
from gameday.play import play as play_once
from gameday.repeating import scenario_of
from gameday.scenario import Scenario
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.needs import require_needs
from infra_fixtures.planning.agreement import DryRun
from infra_fixtures.safety.machine_semaphore import LIMIT_S as SEMAPHORE_LIMIT_S
from infra_fixtures.targets.parts import MissingPart
from reports import allure as allure_report
from reports.live import Live
from reports.run_directory import scenario_directory
from reports.signature import signing_key
from reports.terminal import real_console

GAME_DAY = pytest.StashKey[GameDay]()

Play = Callable[[Scenario], Judgement]
"""Plays a scenario on a fresh topology; AssertionError where it is MISSED, Unproven where it is UNPROVEN."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse unusable options at once; for scenarios make the run's directory and point Allure and JUnit into it."""
    if not plays_scenarios(config.args):
        return
    try:
        options = Options.read(config.getoption)
        check_options(options, scenario_names(SCENARIOS))
        if config.option.help or config.option.collectonly or config.option.showfixtures:
            return
        require_needs(options.runs_dir, partial(need_plugins, config), signing_key)
        day = GameDay.begin(options, keyword=str(config.option.keyword))
    except UnusableInput as e:
        raise pytest.UsageError(*str(e).splitlines()) from e
    config.option.allure_report_dir = config.option.allure_report_dir or str(day.run.allure_results)
    config.option.xmlpath = config.option.xmlpath or str(day.run.junit)
    config.stash[GAME_DAY] = day
    end_gracefully()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios that are made for another target are left out. A drill may wait for its turn, and for workers that are
    started by hand, beyond the time it is given itself."""
    day = config.stash.get(GAME_DAY, None)
    if day is not None:
        elsewhere = [item for item in items if not _is_played_on(item, day.options.target)]
        items[:] = [item for item in items if item not in elsewhere]
        config.hook.pytest_deselected(items=elsewhere)
        tables = objective_tables(day.options.objectives)
        try:
            refuse_unknown_parameters(tables, items, source=str(day.options.objectives))
        except UnusableInput as e:
            raise pytest.UsageError(str(e)) from e
        limit_s = float(config.getini("timeout") or 0) + day.options.distribution.patience_s + SEMAPHORE_LIMIT_S
        for item in items:
            item.add_marker(pytest.mark.timeout(limit_s))


def _is_played_on(item: pytest.Item, target: str) -> bool:
    """Whether the scenario is for every target, or for this one."""
    only = item.get_closest_marker("target")
    return only is None or target in only.args


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep which scenarios were chosen: a run must say which of them it never drilled."""
    day = session.config.stash.get(GAME_DAY, None)
    if day is not None:
        numbered = [(item, repetition_of(item)) for item in session.items]
        day.chosen = [scenario_directory(scenario_of(item, n), n) for item, n in numbered]


@pytest.fixture(scope="session")
def game_day(request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]) -> GameDay:
    """The run that this session records."""
    found = request.config.stash[GAME_DAY]
    found.tell_junit = record_testsuite_property
    return found


@pytest.fixture
def play(request: pytest.FixtureRequest, game_day: GameDay, repetition: int) -> Iterator[Play]:
    """Plays this test's scenario, under the test's name.

    What the target cannot do skips the test, saying which power or part is missing; where no system can stand, the day is over.
    """
    options, name = game_day.options, scenario_of(request.node, repetition)
    title = name if options.repeat == 1 else f"{name}, run {repetition} of {options.repeat}"
    steps = allure_report.PhaseSteps()

    def publish(directory: Path) -> None:
        allure_report.attach_scenario(directory)
        if repetition == options.repeat > 1:
            allure_report.attach_repetitions(judge_together(game_day.run.path, name))

    with real_console(request.config) as console, Live(console, title) as live:
        showing = Showing(
            live,
            observers=(steps,),
            describe=lambda load: allure_report.label_scenario(name, options.target, options.pace, load),
            publish=publish,
        )

        def play_this(scenario: Scenario) -> Judgement:
            try:
                return play_once(game_day, scenario, name, showing, repetition)
            except (NotSupported, MissingPart, DryRun) as e:
                pytest.skip(str(e))
            except UnusableInput as e:
                pytest.exit(f"error: {e}", returncode=pytest.ExitCode.USAGE_ERROR)

        yield play_this
    steps.close()
    directory = game_day.run.scenario(name, repetition)
    if (directory / "verdict.json").exists():
        request.node.user_properties.append(("outcome", allure_report.label_outcome(directory)))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What several runs show together; a reliability that was demanded and not shown fails the whole."""
    day = session.config.stash.get(GAME_DAY, None)
    if day is not None and day.has_records:
        _, falls_short = day.load_together()
        if session.exitstatus == pytest.ExitCode.OK and falls_short:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """The verdict table, and where the records are; `latest` is a run that was not cancelled and judged something."""
    day = config.stash.get(GAME_DAY, None)
    if day is not None and day.has_records:
        with real_console(config) as console:
            day.report(console, complete=exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))
        terminalreporter.write_line(f"records and reports: {day.run.path} (judge them again: python -m drill judge)")


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the memory of a process about to end to the system: pytest and Python would search it for 3 s."""
    if config.stash.get(GAME_DAY, None) is not None:
        gc.freeze()
