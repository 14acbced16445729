"""A run judged again from its raw records, and every way in which its verdicts say otherwise.

What both have is compared, figures by value: a verdict.json written before a figure was known need not have it. Its
sentences are not compared, for reports take theirs from the new judgement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drill.evidence import JUDGE_VERSION, Judgement
from drill.plain_file import read_json
from drill.recorded_objectives import RECORDED, RecordedObjectives
from drill.stored import RECORDS, REPETITIONS, Stored, repeated
from reports.record import Run, read_scenario
from reports.repeated import read_repeated

VERSION = "judge_version"
FIGURE = ("value", "lower", "upper", "unit", "objective", "verdict")
LABELS = ("scenario", "repetition", "target", "pace", "expected", "verdict")
REQUIRED = (
    "rto_s", "rpo_s", "lost_writes", "lost_after_fault", "acked_writes", "in_doubt_writes", "downtime_s", "lag_p99_s",
)  # fmt: skip
"""Figures that every verdict.json has had from the first."""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """The run with all that its raw records show, the differences (each names file and figure), and what is lacking.

    `judged_by`: a sentence for each verdict of another version of the judge.
    """

    run: Run
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    judged_by: tuple[str, ...] = ()


def rejudge(run: Run) -> Rejudged:
    """Judge every scenario of the run again; raises UnusableInput where a record cannot be read."""
    differences: list[str] = []
    notes: list[str] = []
    judged_by: list[str] = []
    scenarios = []
    judgements: list[tuple[Stored, Judgement]] = []
    for scenario in run.scenarios:
        stored = Stored(scenario.directory, run.facts)
        where = f"scenarios/{scenario.directory.name}"
        found = read_json(scenario.directory / "verdict.json")
        recorded = any((scenario.directory / name).exists() for name in RECORDS)
        if found is None and not recorded:
            notes.append(f"{where}: never drilled, there are no records")
            scenarios.append(scenario)
            continue
        judgement = stored.judge()
        judgements.append((stored, judgement))
        said = stored.verdict_json(judgement)
        scenarios.append(read_scenario(scenario.directory, said, run))
        differences += [f"{where}/{RECORDED}: {d}" for d in _objectives(stored)]
        if found is None:
            notes.append(f"{where}/verdict.json: missing, so the verdict is what the records show: {judgement.verdict}")
        else:
            told = _compared(f"{where}/verdict.json", lambda found=found, said=said: _verdict(found, said))  # type: ignore[misc]
            differences += told
            judged_by += [f"{where}/verdict.json: {told}" for told in _judged_by_another(found)]
    together = [whole.to_json(**context) for whole, context in repeated(judgements)]
    differences += _compared(REPETITIONS, lambda: _repetitions(read_json(run.directory / REPETITIONS), together))
    again = replace(run, scenarios=tuple(scenarios), repeated=read_repeated(together))
    return Rejudged(again, tuple(differences), tuple(notes), tuple(judged_by))


def _judged_by_another(found: Any) -> Iterator[str]:
    """Why figures may differ without anybody's doing; it excuses none, for anybody can write a version into a file."""
    version = found.get(VERSION, 1) if isinstance(found, dict) else JUDGE_VERSION
    if isinstance(version, int) and version != JUDGE_VERSION:
        judge = "an older judge" if version < JUDGE_VERSION else "a newer judge"
        yield f"judged by {judge} ({version}), this one is {JUDGE_VERSION}: figures may differ"


def _compared(file: str, differences: Callable[[], Iterator[str]]) -> list[str]:
    """The differences of a file; one that has not even the form it must have differs by that."""
    try:
        return [f"{file}: {d}" for d in differences()]
    except (KeyError, TypeError, AttributeError, OverflowError, ValueError) as e:
        return [f"{file}: it is not what this harness writes ({type(e).__name__}: {e})"]


def _objectives(stored: Stored) -> Iterator[str]:
    """Those beside the records against those of run.json."""
    of_scenario, of_run = RecordedObjectives.load(stored.directory), stored.objectives_of_run()
    if of_scenario is None or of_run is None:
        return
    values = of_run.to_json()["values"]
    yield from _differing("", of_scenario.to_json()["values"], values, tuple(values), "run.json has")
    if of_scenario.target != stored.target:
        yield _told("target", of_scenario.target, stored.target, "run.json has")


def _verdict(found: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    yield from _differing("", found, said, LABELS)
    if type(version := found.get(VERSION, 1)) is not int or version < 1:
        yield f"{VERSION} is {_shown(version)}, which no judge has"
    figures = found["measurements"]
    yield from _figures("", figures, said["measurements"])
    yield from (f"{name} is missing" for name in REQUIRED if name not in figures)
    cohorts: Mapping[str, Any] = found.get("cohorts") or {}
    yield from _surplus("cohort ", cohorts, said["cohorts"])
    for name in cohorts.keys() & said["cohorts"].keys():
        yield from _differing(f"cohort {name} ", cohorts[name], said["cohorts"][name], ("requests", "failed"))
        yield from _figures(f"cohort {name} ", {"rto_s": cohorts[name].get("rto_s") or {}}, said["cohorts"][name])
    phases = {phase["phase"]: phase for phase in said["waterfall"]}
    for phase in found.get("waterfall") or ():
        if phase["phase"] in phases:
            yield from _differing(f"{phase['phase']} ", phase, phases[phase["phase"]], ("from_s", "to_s"))
    if isinstance(judged_by := found.get("objectives"), dict):
        for key in ("file", "sha256", "defaults"):
            yield from _differing("objectives ", judged_by, said["objectives"], (key,), "objectives.json has")
        values = said["objectives"]["values"]
        yield from _differing(
            "objectives ", judged_by.get("values") or {}, values, tuple(values), "objectives.json has"
        )


def _repetitions(found: Any, together: list[dict[str, Any]]) -> Iterator[str]:
    shown = {whole["scenario"]: whole for whole in together}
    for whole in found or ():
        name = whole["scenario"]
        if name not in shown:
            yield f"{name} was not run several times"
            continue
        yield from _differing(f"{name} ", whole, shown[name], ("repetitions", "verdict"))
        yield from _figures(f"{name} ", whole["measurements"], shown[name]["measurements"])
        runs = {one["repetition"]: one for one in shown[name]["runs"]}
        for one in whole["runs"]:
            number = one["repetition"]
            yield from _differing(
                f"{name} run {number} ", one, runs.get(number, {"verdict": "not recorded"}), tuple(one)
            )


def _figures(where: str, found: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    for name, figure in found.items():
        if name in said:
            yield from _differing(f"{where}{name} ", figure, said[name], FIGURE)
    yield from _surplus(where, {n: f for n, f in found.items() if f.get("verdict")}, said)


def _surplus(where: str, found: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{where}{name} is none that the records give" for name in found if name not in said)


def _differing(
    where: str,
    found: Mapping[str, Any],
    said: Mapping[str, Any],
    keys: tuple[str, ...],
    source: str = "the records give",
) -> Iterator[str]:
    for key in keys:
        if key in found and key in said and not _same(found[key], said[key]):
            yield _told(f"{where}{key}", found[key], said[key], source)


def _told(name: str, found: Any, said: Any, source: str) -> str:
    return f"{name} is {_shown(found)}, but {source} {_shown(said)}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, int | float) else str(value)


def _same(one: Any, other: Any) -> bool:
    numbers = [x for x in (one, other) if isinstance(x, int | float) and not isinstance(x, bool)]
    return math.isclose(*numbers, rel_tol=1e-9, abs_tol=1e-9) if len(numbers) == 2 else bool(one == other)
