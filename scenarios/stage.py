"""The stage on which scenarios play: fixtures that bring world, traffic, probes and reports together for one drill."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from drill.evidence import Judgement
from drill.objective import objective_tables
from drill.recorded_objectives import RecordedObjectives
from drill.run import Drill
from drill.stored import judge_together, write_repetitions
from drill.unusable import UnusableInput
from infra_fixtures.__main__ import parse_pace
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.safety.journal import unfinished
from infra_fixtures.safety.turn import LIMIT_S as TURN_LIMIT_S
from infra_fixtures.safety.turn import turn
from infra_fixtures.targets import TARGETS, read_options, standing
from infra_fixtures.targets.parts import MissingPart, WorkloadPart, part_of
from infra_fixtures.targets.world import World
from probes.all import probes_for
from probes.machinery import refuse_broken
from probes.steady_state import await_steady_state
from probes.survivors import read_survivors
from reports import allure as allure_report
from reports.live import Live
from reports.manifest import write as write_manifest
from reports.observers import Several
from reports.pdf import write_pdf
from reports.pictures import draw
from reports.record import load_run, load_scenario
from reports.run_directory import RunDirectory, scenario_directory
from reports.signature import signer, signing_key
from reports.summary import write_summary
from reports.table import print_verdicts
from reports.terminal import real_console
from scenarios.names import refuse_unknown, refuse_unknown_parameters, repetition_of, scenario_names
from scenarios.refusal import record_refusal
from scenarios.repeating import repeat_of, scenario_of
from scenarios.sharing import Sharing, sharing_of
from traffic.load import Load, Service
from traffic.load_options import LoadOptions
from traffic.runner import LoadGenerator

EVERYONE: Mapping[str, float] = {"follower": 0.7, "fresh": 0.1, "sticky": 0.2}
"""The default mix of clients: sticky ones keep a connection for as long as its endpoint lives."""

MOBILE: Mapping[str, float] = {"follower": 0.85, "fresh": 0.15}
"""Clients that follow DNS. Where the old endpoint stays alive, sticky clients never leave it: no failover can move them,
so a scenario that keeps the endpoint alive is driven by these, and the report says that sticky clients were left out."""


@dataclass(slots=True)
class GameDay:
    """One run of scenarios: its options, its directory, and how it is shown."""

    target: str
    pace: float
    objectives: Path
    runs_dir: Path
    seed: int
    run: RunDirectory
    options: Mapping[str, Any]
    repeat: int = 1
    sharing: Sharing = field(default_factory=Sharing)
    load: LoadOptions = field(default_factory=LoadOptions)
    keyword: str = ""
    chosen: list[str] = field(default_factory=list)
    """The directories of the scenarios that are to be drilled."""
    described: bool = False
    notes: list[str] = field(default_factory=list)
    tell_junit: Callable[[str, object], None] = lambda _name, _value: None
    """Notes a property of the whole run in junit.xml."""


ENDING = (signal.SIGINT, signal.SIGTERM)

GAME_DAY = pytest.StashKey[GameDay]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse unusable options at once; for scenarios make the run's directory and point Allure and JUnit into it."""
    if not _plays_scenarios(config):
        return
    try:
        target = _target(config.getoption("--target"))
        pace = parse_pace(config.getoption("--pace"))
        objectives = Path(config.getoption("--objectives"))
        tables = objective_tables(objectives)
        names = scenario_names(Path(__file__).parent)
        refuse_unknown(tables, targets=TARGETS, scenarios=names, source=str(objectives))
        runs_dir = Path(config.getoption("--runs-dir"))
        repeat, sharing, load = repeat_of(config), sharing_of(config), LoadOptions.read(config.getoption)
        _refuse_unfinished(runs_dir)
        if config.option.help or config.option.collectonly or config.option.showfixtures:
            return
        run = RunDirectory.create(runs_dir)
    except UnusableInput as e:
        raise pytest.UsageError(str(e)) from e
    config.option.allure_report_dir = config.option.allure_report_dir or str(run.allure_results)
    config.option.xmlpath = config.option.xmlpath or str(run.junit)
    seed, options = random.randrange(2**31), read_options(target, config.getoption)
    keyword = str(config.option.keyword)
    config.stash[GAME_DAY] = GameDay(
        target, pace, objectives, runs_dir, seed, run, options, repeat, sharing, load, keyword
    )
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as for a process that a shell started in the background
            signal.signal(number, _interrupt)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A drill may wait for its turn, and for workers that are started by hand, beyond the time it is given itself."""
    game_day = config.stash.get(GAME_DAY, None)
    if game_day is not None:
        tables = objective_tables(game_day.objectives)
        try:
            refuse_unknown_parameters(tables, items, source=str(game_day.objectives))
        except UnusableInput as e:
            raise pytest.UsageError(str(e)) from e
        limit_s = float(config.getini("timeout") or 0) + game_day.sharing.patience_s + TURN_LIMIT_S
        for item in items:
            item.add_marker(pytest.mark.timeout(limit_s))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep which scenarios were chosen: a run must say which of them it never drilled."""
    game_day = session.config.stash.get(GAME_DAY, None)
    if game_day is not None:
        numbered = [(item, repetition_of(item)) for item in session.items]
        game_day.chosen = [scenario_directory(scenario_of(item, n), n) for item, n in numbered]


@pytest.fixture(scope="session")
def game_day(request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]) -> GameDay:
    """The run that this session records."""
    found = request.config.stash[GAME_DAY]
    found.tell_junit = record_testsuite_property
    return found


@pytest.fixture
def scenario(request: pytest.FixtureRequest, repetition: int) -> str:
    """The name of the scenario that plays."""
    return scenario_of(request.node, repetition)


@pytest.fixture
def live(request: pytest.FixtureRequest, game_day: GameDay, scenario: str, repetition: int) -> Iterator[Live]:
    """What a person sees of this scenario while it plays."""
    said = scenario if game_day.repeat == 1 else f"{scenario}, run {repetition} of {game_day.repeat}"
    with Live(real_console(request.config), said) as shown:
        yield shown


@pytest.fixture
def world(game_day: GameDay, live: Live, scenario: str, repetition: int) -> Iterator[World]:
    """A fresh two-region system, torn down afterwards whatever happens.

    Where it cannot stand, that is recorded as the scenario's verdict; where no other could, the game day is over.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(turn(lambda: live.phase("waiting for another drill on this machine")))
            live.phase("standing up")
            stands = stack.enter_context(
                standing(
                    game_day.target,
                    pace=game_day.pace,
                    runs_dir=game_day.runs_dir,
                    run_id=game_day.run.run_id,
                    options=game_day.options,
                )
            )
            if not game_day.described:
                _describe(game_day, stands)
            await_steady_state(stands)
        except BaseException as e:
            _refuse(game_day, scenario, repetition, e)
            if isinstance(e, UnusableInput):
                pytest.exit(f"error: {e}", returncode=pytest.ExitCode.USAGE_ERROR)
            raise
        yield stands
        live.phase("tearing down")


@pytest.fixture
def drill(
    game_day: GameDay, world: World, live: Live, scenario: str, repetition: int, request: pytest.FixtureRequest
) -> Iterator[Drill]:
    """The drill of this scenario: traffic through Route 53, every probe, records in the run's directory."""
    directory = game_day.run.scenario(scenario, repetition)
    mark = request.node.get_closest_marker("traffic")
    cohorts = dict((mark.kwargs if mark else {}).get("cohorts", EVERYONE))
    load = game_day.load.applied(Load(cohorts=cohorts, seed=game_day.seed + repetition - 1))
    t0_ns = time.monotonic_ns()
    entry = world.entry
    dns_host, dns_port = entry.dns or ("", 53)
    contract = part_of(world, WorkloadPart).contract
    service = Service(
        base_url=entry.url, api_key=entry.api_key, dns_host=dns_host, dns_port=dns_port, headers=contract.secrets()
    )
    traffic = LoadGenerator(
        load,
        service,
        t0_ns=t0_ns,
        directory=directory,
        environment=world.environment,
        contract=contract,
        workers=game_day.sharing.workers,
        workers_elsewhere=game_day.sharing.elsewhere,
        meeting=game_day.sharing.meeting,
        announce=lambda command: live.say(f"start {game_day.sharing.elsewhere} on other machines:\n{command}"),
    )
    objectives = RecordedObjectives.of_file(game_day.objectives, game_day.target, scenario)
    objectives.write(directory)

    def healthy_again() -> None:
        refuse_broken(world)
        world.return_to_primary()
        await_steady_state(world)

    def publish(judgement: Judgement) -> None:
        draw(load_scenario(directory), load_run(game_day.run.path))
        allure_report.attach_scenario(directory)
        if repetition == game_day.repeat > 1:
            allure_report.attach_repetitions(judge_together(game_day.run.path, scenario))

    allure_report.label_scenario(request.function, scenario, game_day.target, game_day.pace, dataclasses.asdict(load))
    steps = allure_report.PhaseSteps()
    yield Drill(
        scenario=scenario,
        directory=directory,
        t0_ns=t0_ns,
        objectives=objectives.objectives,
        traffic=traffic,
        probes=probes_for(world, lambda: {"harness": [os.getpid()], "locust": traffic.pids}),
        read_survivors=lambda region: read_survivors(world, region, t0_ns),
        healthy_again=healthy_again,
        home=world.primary,
        observer=Several(live, steps),
        publish=publish,
        context=_context(game_day, repetition, objectives),
    )
    steps.close()
    request.node.user_properties.append(("outcome", allure_report.label_outcome(directory)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A fault that the target cannot make skips its scenario, saying which power or part is missing."""
    outcome = yield
    error = outcome.excinfo[1] if outcome.excinfo else None  # type: ignore[attr-defined]
    if isinstance(error, NotSupported | MissingPart):
        pytest.skip(str(error))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What several runs show together; a reliability that was demanded and not shown fails the whole."""
    game_day = session.config.stash.get(GAME_DAY, None)
    if game_day is None or not (game_day.run.path / "run.json").exists():
        return
    together = write_repetitions(game_day.run.path)
    wanting = [whole.scenario for whole, _ in together if whole.wanting]
    run = load_run(game_day.run.path)
    game_day.tell_junit("outcome", run.tally)
    checks = {s.name for s in run.checks}
    if session.exitstatus == pytest.ExitCode.OK and set(wanting) - checks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """The verdict table, and where the records are; `latest` is a run that was not cancelled and judged something."""
    game_day = config.stash.get(GAME_DAY, None)
    if game_day is None or not (game_day.run.path / "run.json").exists():
        return
    key = signing_key()
    run = dataclasses.replace(load_run(game_day.run.path), signer=signer(key))
    print_verdicts(run, real_console(config))
    write_summary(run)
    write_pdf(run)
    write_manifest(game_day.run.path, key)
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and any(s.judged for s in run.scenarios):
        game_day.run.point_latest()
    terminalreporter.write_line(f"records and reports: {game_day.run.path} (judge them again: python -m drill judge)")


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the memory of a process about to end to the system: pytest and Python would search it for 3 s."""
    if config.stash.get(GAME_DAY, None) is not None:
        gc.freeze()


def _plays_scenarios(config: pytest.Config) -> bool:
    here = Path(__file__).parent.resolve()
    return any(Path(a.partition("::")[0]).resolve().is_relative_to(here) for a in config.args)


def _target(name: str) -> str:
    if name not in TARGETS:
        raise UnusableInput(f"--target {name} is unknown: give one of {', '.join(TARGETS)}")
    return name


def _refuse_unfinished(runs_dir: Path) -> None:
    for journal in unfinished(runs_dir):
        raise UnusableInput(
            f"the run {journal.parent.name} died with a fault not healed: run `python -m infra_fixtures heal "
            f"--runs-dir {runs_dir}` first"
        )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a game day as Ctrl-C does, so that fixtures heal and tear down; the next ones do not end that.

    Whoever cannot wait for it has SIGKILL, after which the watchdog tidies up.
    """
    for number in ENDING:
        signal.signal(number, lambda *_: None)  # and not SIG_IGN, which children would inherit
    raise KeyboardInterrupt


def _context(game_day: GameDay, repetition: int, objectives: RecordedObjectives) -> dict[str, Any]:
    """What verdicts are labelled with."""
    numbered = {"repetition": repetition} if repetition > 1 else {}
    return {"target": game_day.target, "pace": game_day.pace, "objectives": objectives.to_json(), **numbered}


def _refuse(game_day: GameDay, scenario: str, repetition: int, error: BaseException) -> None:
    if not game_day.described:
        _describe(game_day, None)
    objectives = RecordedObjectives.of_file(game_day.objectives, game_day.target, scenario)
    context = {"scenario": scenario, **_context(game_day, repetition, objectives)}
    directory = game_day.run.scenario(scenario, repetition)
    objectives.write(directory)
    record_refusal(directory, objectives.objectives, error, context)


def _describe(game_day: GameDay, world: World | None) -> None:
    """Write run.json; of a world that has never stood only what was asked for is known."""
    game_day.run.write_run_json(
        target=game_day.target,
        pace=game_day.pace,
        seed=game_day.seed,
        fidelity=world.fidelity if world else {},
        objectives=objective_tables(game_day.objectives),
        topology_digest=world.topology_digest if world else "",
        options={
            "target": game_day.target,
            "pace": game_day.pace,
            "objectives": str(game_day.objectives),
            "keyword": game_day.keyword,
            "repeat": game_day.repeat,
            "workers": game_day.sharing.workers,
            "workers_elsewhere": game_day.sharing.elsewhere,
            **game_day.load.given(),
            **game_day.options,
        },
        not_proven=list(world.not_proven) if world else [],
        scenarios=game_day.chosen,
    )
    allure_report.write_environment(game_day.run.path, signer=signer(signing_key()))
    game_day.described = world is not None
