"""A drill or a whole run as it lies on disk, found again so that it can be judged from its raw records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from drill.evidence import Judgement, judge
from drill.history import History
from drill.objective import Objectives, load_objectives, resolve_objectives
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
        """Its name: that of its directory, without the number of a repetition."""
        return scenario_and_repetition(self.directory.resolve().name)[0]

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
        if isinstance(target := self.run.get("target"), str):
            found["target"] = target
        if isinstance(pace := self.run.get("pace"), int | float):
            found["pace"] = pace
        return found

    @property
    def asked(self) -> int:
        """How often each scenario of this run was to be run."""
        options = self.run.get("options")
        times = options.get("repeat") if isinstance(options, dict) else None
        return times if isinstance(times, int) and times > 0 else 1

    def objectives(self, given: Path | None) -> Objectives:
        """Those of the file given, else those the run recorded, else objectives.toml."""
        target = str(self.run.get("target", ""))
        if given is not None:
            return load_objectives(given, target, self.scenario)
        recorded = self.run.get("objectives")
        if isinstance(recorded, dict) and recorded:
            return resolve_objectives(recorded, target, self.scenario, source=str(_run_json(self.directory)))
        return load_objectives(OBJECTIVES, target, self.scenario)

    def judge(self, given: Path | None = None) -> Judgement:
        """Judge it again; raises UnusableInput for a damaged record or unusable objectives."""
        objectives = self.objectives(given)
        return judge(History.load(self.directory), objectives)


def repeated(judged: Iterable[tuple[Stored, Judgement]], given: Path | None = None) -> Together:
    """The scenarios that were run several times, or are to be reliable: their runs judged together, with target and pace."""
    by_scenario: dict[str, list[tuple[Stored, Judgement]]] = {}
    for stored, judgement in judged:
        by_scenario.setdefault(stored.scenario, []).append((stored, judgement))
    found = []
    for scenario, runs in by_scenario.items():
        first = runs[0][0]
        objectives = first.objectives(given)
        whole = judge_repetitions(scenario, {s.repetition: j for s, j in runs}, objectives, first.asked)
        if whole.asked > 1 or objectives.reliability is not None:
            found.append((whole, {k: v for k, v in first.context.items() if k in ("target", "pace")}))
    return found


def judge_together(directory: Path, scenario: str | None = None) -> Together:
    """What the runs of a stored run's scenarios (or of that one) show together, from the raw records."""
    stored = [s for s in find_stored(directory) if scenario in (None, s.scenario)]
    several = any(s.asked > 1 or s.repetition > 1 or s.objectives(None).reliability is not None for s in stored)
    return repeated([(s, s.judge()) for s in stored]) if several else []


def write_repetitions(directory: Path) -> Together:
    """The same of a whole run, written to its repetitions.json where there is anything to say."""
    if not any((directory / "scenarios").iterdir()):
        return []
    found = judge_together(directory)
    if found:
        whole = msgspec.json.encode([r.to_json(**context) for r, context in found])
        (directory / REPETITIONS).write_bytes(msgspec.json.format(whole, indent=2) + b"\n")
    return found


def find_stored(directory: Path) -> list[Stored]:
    """The scenario in `directory`, or every scenario of the run in it; raises UnusableInput where there is neither."""
    if not directory.is_dir():
        raise UnusableInput(f"{directory} is not a directory: give that of a scenario or of a run")
    if (directory / "scenarios").is_dir():
        run = _read_run(directory / "run.json")
        found = [Stored(p, run) for p in sorted((directory / "scenarios").iterdir()) if p.is_dir()]
        if not found:
            raise UnusableInput(
                f"{directory / 'scenarios'} is empty: give the directory of a run that drilled something"
            )
        return found
    if any((directory / name).exists() for name in RECORDS):
        return [Stored(directory, _read_run(_run_json(directory)))]
    raise UnusableInput(
        f"{directory} holds no {', '.join(RECORDS)} and no scenarios/: give that of a scenario or a run"
    )


def _run_json(directory: Path) -> Path:
    return directory.resolve().parent.parent / "run.json"


def _read_run(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as e:
        raise UnusableInput(f"{path} is not the run.json this harness writes ({e}): restore it or remove it") from e
