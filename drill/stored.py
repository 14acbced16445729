"""A drill or a whole run as it lies on disk, found again so that it can be judged from its raw records alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from drill.evidence import Judgement, judge
from drill.expectation import MARK, Expectation
from drill.history import History
from drill.objective import objective_tables, refuse_unknown_names
from drill.plain_file import folders, is_directory, read_json
from drill.recorded_objectives import RecordedObjectives
from drill.repetition import Repetitions, judge_repetitions, scenario_and_repetition
from drill.unusable import UnusableInput

RECORDS = ("ops.parquet", "marks.jsonl", "samples.parquet", "survivors.parquet")
OBJECTIVES = Path("objectives.toml")
REPETITIONS = "repetitions.json"
Together: TypeAlias = list[tuple[Repetitions, dict[str, str | float]]]
"""Scenarios whose runs were judged together, each with its target and pace."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The records of one scenario, and what run.json says of its run (empty where there is none)."""

    directory: Path
    run: Mapping[str, Any]

    @property
    def scenario(self) -> str:
        """Its name: as its objectives were recorded for, else that of its directory without a repetition's number."""
        recorded = RecordedObjectives.load(self.directory)
        return recorded.scenario if recorded else scenario_and_repetition(self.directory.resolve().name)[0]

    @property
    def repetition(self) -> int:
        """Which of several runs of the scenario it is, from 1."""
        return scenario_and_repetition(self.directory.resolve().name)[1]

    @property
    def context(self) -> dict[str, str | float]:
        """scenario, target and pace, as verdict.json has them, and which repetition; what is not known is left out."""
        found: dict[str, str | float] = {"scenario": self.scenario}
        if self.repetition > 1:
            found["repetition"] = self.repetition
        if target := self.target:
            found["target"] = target
        if isinstance(pace := self.run.get("pace"), int | float):
            found["pace"] = pace
        return found

    @property
    def target(self) -> str:
        """The target of its run; where that is not known, the one its objectives were recorded for."""
        recorded = RecordedObjectives.load(self.directory)
        return str(self.run.get("target", recorded.target if recorded else ""))

    @property
    def requested(self) -> int:
        """How often each scenario of this run was to be run."""
        options = self.run.get("options")
        times = options.get("repeat") if isinstance(options, dict) else None
        return times if isinstance(times, int) and times > 0 else 1

    @property
    def expected(self) -> Expectation:
        """What must come out: the mark drill.expected says it, in older records verdict.json; else MET."""
        mark = History.load_marks(self.directory).first_mark(MARK)
        if mark is not None:
            return Expectation.read(mark.detail)
        is_older = RecordedObjectives.load(self.directory) is None
        found = read_json(self.directory / "verdict.json") if is_older else None
        return Expectation.read(found.get("expected") if isinstance(found, dict) else None)

    @property
    def interrupted(self) -> bool:
        """Whether somebody cancelled it."""
        return History.load_marks(self.directory).first_mark("drill.interrupted") is not None

    def objectives(self, objectives_file: Path | None) -> RecordedObjectives:
        """Those of the file given, else those beside the records, else those of run.json, else objectives.toml."""
        if objectives_file is not None:
            return RecordedObjectives.of_file(objectives_file, self.target, self.scenario)
        recorded = RecordedObjectives.load(self.directory) or self.objectives_of_run()
        return recorded or RecordedObjectives.of_file(OBJECTIVES, self.target, self.scenario)

    def objectives_of_run(self) -> RecordedObjectives | None:
        """Those that run.json has, None where it has none; raises UnusableInput."""
        tables = self.run.get("objectives")
        if not isinstance(tables, dict) or not tables:
            return None
        return RecordedObjectives.of_tables(
            tables, self.target, self.scenario, file="run.json", source=str(_run_json(self.directory))
        )

    def judge(self, objectives_file: Path | None = None) -> Judgement:
        """Judge it again; raises UnusableInput for a damaged record or unusable objectives."""
        objectives = self.objectives(objectives_file).objectives
        return judge(History.load(self.directory), objectives)

    def verdict_json(self, judgement: Judgement, objectives_file: Path | None = None) -> dict[str, Any]:
        """verdict.json of that judgement, as the drill writes it."""
        objectives = self.objectives(objectives_file).to_json()
        return judgement.to_json(**self.context, expected=str(self.expected), objectives=objectives)


def repeated(judged: Iterable[tuple[Stored, Judgement]], objectives_file: Path | None = None) -> Together:
    """The scenarios that were run several times, or are to be reliable: their runs judged together, with target and pace."""
    by_scenario: dict[str, list[tuple[Stored, Judgement]]] = {}
    for stored, judgement in judged:
        by_scenario.setdefault(stored.scenario, []).append((stored, judgement))
    found = []
    for scenario, runs in by_scenario.items():
        first = runs[0][0]
        objectives = first.objectives(objectives_file).objectives
        whole = judge_repetitions(scenario, {s.repetition: j for s, j in runs}, objectives, first.requested)
        if whole.requested > 1 or objectives.reliability is not None:
            found.append((whole, {k: v for k, v in first.context.items() if k in ("target", "pace")}))
    return found


def judge_together(directory: Path, scenario: str | None = None) -> Together:
    """What the runs of a stored run's scenarios (or of that one) show together, from the raw records."""
    stored = [s for s in find_stored(directory) if scenario in (None, s.scenario)]
    several = any(
        s.requested > 1 or s.repetition > 1 or s.objectives(None).objectives.reliability is not None for s in stored
    )
    return repeated([(s, s.judge()) for s in stored]) if several else []


def write_repetitions(directory: Path) -> Together:
    """The same of a whole run, written to its repetitions.json where there is anything to say."""
    if not folders(directory / "scenarios"):
        return []
    found = judge_together(directory)
    if found:
        whole = msgspec.json.encode([r.to_json(**context) for r, context in found])
        (directory / REPETITIONS).write_bytes(msgspec.json.format(whole, indent=2) + b"\n")
    return found


def find_stored(directory: Path) -> list[Stored]:
    """The scenario in `directory`, or every scenario of the run in it; raises UnusableInput where there is neither."""
    if not is_directory(directory):
        raise UnusableInput(f"{directory} is not a directory: give that of a scenario or of a run")
    if is_directory(directory / "scenarios"):
        run = _read_run(directory / "run.json")
        found = [Stored(path, run) for path in folders(directory / "scenarios")]
        if not found:
            raise UnusableInput(
                f"{directory / 'scenarios'} is empty: give the directory of a run that drilled something"
            )
        return found
    if any(os.path.lexists(directory / name) for name in RECORDS):
        belongs_to_run = directory.resolve().parent.name == "scenarios"
        return [Stored(directory, _read_run(_run_json(directory)) if belongs_to_run else {})]
    raise UnusableInput(
        f"{directory} holds no {', '.join(RECORDS)} and no scenarios/: give that of a scenario or a run"
    )


def refuse_misspelt(path: Path, stored: Iterable[Stored]) -> None:
    """Raise UnusableInput where the objectives file has a table of nearly, but not quite, a name that the records know.

    They know the scenarios and the target of their run, and the names in the objectives that it recorded. Another name
    may be that of a scenario that was not run, so it is none of theirs to refuse.
    """
    tables = objective_tables(path)
    known: dict[str, set[str]] = {"target": set(), "scenario": set()}
    for one in stored:
        known["scenario"].add(one.scenario)
        known["target"].add(str(one.run.get("target", "")))
        recorded = one.run.get("objectives")
        for layer in known:
            names = recorded.get(layer) if isinstance(recorded, dict) else None
            known[layer] |= set(names) if isinstance(names, dict) else set()
    for layer, names in known.items():
        refuse_unknown_names(tables, layer, names, source=str(path), all_known=False)


def _run_json(directory: Path) -> Path:
    return directory.resolve().parent.parent / "run.json"


def _read_run(path: Path) -> Mapping[str, Any]:
    found = read_json(path)
    if found is not None and not isinstance(found, dict):
        raise UnusableInput(f"{path} is not the run.json this harness writes: restore it or remove it")
    return found or {}
