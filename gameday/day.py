"""A day of drills: its options, its directory, what it records of itself, and the reports it ends with."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from rich.console import Console

from drill.objective import objective_tables
from drill.recorded_objectives import RecordedObjectives
from drill.stored import write_repetitions
from gameday.names import refuse_unknown
from gameday.options import Options
from gameday.refusal import record_refusal
from infra_fixtures.orphan_runs import refuse_orphans
from infra_fixtures.targets import TARGETS
from infra_fixtures.targets.world import World
from reports import allure as allure_report
from reports.manifest import write as write_manifest
from reports.pdf import write_pdf
from reports.record import Run, load_run
from reports.run_directory import RunDirectory
from reports.signature import signer, signing_key
from reports.summary import write_summary
from reports.table import print_verdicts

ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class GameDay:
    """One run of scenarios. `chosen` are the directories of those that are to be drilled."""

    options: Options
    run: RunDirectory
    seed: int = field(default_factory=lambda: random.randrange(2**31))
    keyword: str = ""
    chosen: list[str] = field(default_factory=list)
    tell_junit: Callable[[str, object], None] = lambda _name, _value: None
    """Notes a property of the whole run in junit.xml."""
    agreed_to: dict[str, str] = field(default_factory=dict)
    """The account that a person has agreed to change, by scenario: a repetition does not ask again."""
    _described: bool = False

    @classmethod
    def begin(cls, options: Options, *, keyword: str = "") -> GameDay:
        """Make the run's directory; raises UnusableInput where it cannot be made."""
        return cls(options, RunDirectory.create(options.runs_dir), keyword=keyword)

    def objectives_of(self, scenario: str) -> RecordedObjectives:
        """The objectives that a scenario is judged by."""
        return RecordedObjectives.of_file(self.options.objectives, self.options.target, scenario)

    def context(self, repetition: int, objectives: RecordedObjectives) -> dict[str, Any]:
        """What verdicts are labelled with."""
        numbered = {"repetition": repetition} if repetition > 1 else {}
        return {
            "target": self.options.target,
            "pace": self.options.pace,
            "objectives": objectives.to_json(),
            **numbered,
        }

    def refuse(self, scenario: str, repetition: int, error: BaseException) -> None:
        """Record that no drill began, and why."""
        if not self._described:
            self.describe(None)
        objectives = self.objectives_of(scenario)
        directory = self.run.scenario(scenario, repetition)
        objectives.write(directory)
        context = {"scenario": scenario, **self.context(repetition, objectives)}
        record_refusal(directory, objectives.objectives, error, context)

    def describe(self, world: World | None) -> None:
        """Write run.json, once; of a world that has never stood only what was asked for is known."""
        if self._described:
            return
        self.run.write_run_json(
            target=self.options.target,
            pace=self.options.pace,
            seed=self.seed,
            fidelity=world.fidelity if world else {},
            objectives=objective_tables(self.options.objectives),
            topology_digest=world.topology_digest if world else "",
            options={**self.options.recorded(), "keyword": self.keyword},
            not_proven=list(world.not_proven) if world else [],
            scenarios=self.chosen,
        )
        allure_report.write_environment(self.run.path, signer=signer(signing_key()))
        self._described = world is not None

    @property
    def has_records(self) -> bool:
        """Whether anything was drilled, or refused."""
        return (self.run.path / "run.json").exists()

    def load_together(self) -> tuple[Run, list[str]]:
        """The run as recorded, and the scenarios whose repetitions do not show the reliability that was demanded."""
        together = write_repetitions(self.run.path)
        falls_short = {whole.scenario for whole, _ in together if whole.falls_short}
        run = load_run(self.run.path)
        self.tell_junit("outcome", run.tally)
        return run, sorted(falls_short - {s.name for s in run.checks})

    def report(self, console: Console, *, complete: bool) -> Run:
        """The verdict table and every report, signed; `latest` is a `complete` run that judged something."""
        key = signing_key()
        run = dataclasses.replace(load_run(self.run.path), signer=signer(key))
        print_verdicts(run, console)
        write_summary(run)
        write_pdf(run)
        write_manifest(self.run.path, key)
        if complete and any(s.judged for s in run.scenarios):
            self.run.point_latest()
        return run


def check_options(options: Options, scenarios: set[str]) -> None:
    """Raise UnusableInput for objectives that are not usable, and where a dead run is not healed."""
    refuse_unknown(
        objective_tables(options.objectives), targets=TARGETS, scenarios=scenarios, source=str(options.objectives)
    )
    refuse_orphans(options.runs_dir)


@contextlib.contextmanager
def ending_gracefully() -> Iterator[None]:
    """SIGTERM ends what runs in here as Ctrl-C does, so that faults are healed and systems torn down."""
    before = {number: signal.getsignal(number) for number in ENDING}
    end_gracefully()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def enough_on_interrupt(enough: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM says that it is enough; another one ends what runs in here as ever."""
    before = {number: signal.getsignal(number) for number in ENDING}

    def told(number: int, frame: FrameType | None) -> None:
        if enough.is_set():
            _interrupt(number, frame)
        enough.set()

    for number in ENDING:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, told)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_gracefully() -> None:
    """From now on SIGTERM is as Ctrl-C, unless it is ignored as for what a shell started in the background."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """The first signal ends the day; the next ones do not end its healing and tearing down.

    Whoever cannot wait for it has SIGKILL, after which the watchdog tidies up.
    """
    for number in ENDING:
        signal.signal(number, lambda *_: None)  # and not SIG_IGN, which children would inherit
    raise KeyboardInterrupt
