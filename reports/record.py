"""A run as it lies on disk, read back for people: run.json, each scenario's verdict.json, and where its history is.

Reports are built from these records alone, so that anyone who holds the directory can build the same ones again.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from drill.history import History
from drill.objective import Objectives, resolve_objectives
from drill.repetition import directory_name, scenario_and_repetition
from drill.unusable import UnusableInput
from reports.figure import Figure, read_figure
from reports.repeated import Repeated, load_repeated
from reports.wording import title

WORST_FIRST = ("MISSED", "UNPROVEN", "MET")


class Phase(msgspec.Struct, frozen=True):
    """One bar of the waterfall in seconds since the fault; `to_s` is None where it is missing, `note` says why."""

    phase: str
    from_s: float | None = None
    to_s: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cohort:
    """How one kind of client fared."""

    requests: int
    failed: int
    rto: Figure


@dataclass(frozen=True, slots=True)
class Scenario:
    """One judged drill of a run; `directory` holds its raw history."""

    name: str
    directory: Path
    verdict: str
    pace: float
    target: str
    figures: dict[str, Figure] = field(default_factory=dict)
    waterfall: tuple[Phase, ...] = ()
    reasons: tuple[str, ...] = ()
    expected: str = "MET"
    """What the scenario says must come out; a drill of the harness itself expects UNPROVEN."""
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    repetition: int = 1

    @property
    def identifier(self) -> str:
        """Its name, with the number of the run from the second on."""
        return directory_name(self.name, self.repetition)

    @property
    def title(self) -> str:
        """The same in words."""
        return title(self.name) + (f", run {self.repetition}" if self.repetition > 1 else "")

    def figure(self, name: str) -> Figure:
        """The figure of that name; one that was never judged is all unknown."""
        return self.figures.get(name, Figure())

    @property
    def as_intended(self) -> bool:
        """Whether what came out is what had to."""
        return self.verdict == self.expected

    @property
    def reason(self) -> str:
        """The one sentence that decided the verdict, empty if the record gives none."""
        if self.reasons:
            return self.reasons[0]
        return next((f.because for f in self.figures.values() if f.verdict == self.verdict and f.because), "")

    def history(self) -> History:
        """The raw records; raises UnusableInput naming a damaged file."""
        return History.load(self.directory)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what run.json says, and its scenarios in the order of their names."""

    directory: Path
    facts: dict[str, Any]
    scenarios: tuple[Scenario, ...]
    repeated: tuple[Repeated, ...] = ()

    @property
    def run_id(self) -> str:
        """The run's id; its directory's name where run.json gives none."""
        return str(self.facts.get("run_id", self.directory.resolve().name))

    @property
    def target(self) -> str:
        """embedded, localstack, aws or attach."""
        return str(self.facts.get("target", "unknown"))

    @property
    def pace(self) -> float:
        """How many times faster than AWS's own the timers ran."""
        return _number(self.facts.get("pace"), self.directory / "run.json", "pace", 1.0)

    @property
    def started(self) -> str:
        """UTC, ISO 8601."""
        return str(self.facts.get("started", ""))

    @property
    def started_at(self) -> dt.datetime:
        """The same as a time; the epoch where run.json gives none that can be read."""
        try:
            return dt.datetime.fromisoformat(self.started).astimezone(dt.UTC)
        except ValueError:
            return dt.datetime.fromtimestamp(0, dt.UTC)

    @property
    def verdict(self) -> str:
        """The worst of all scenarios; UNPROVEN where there is none."""
        return worst(s.verdict for s in self.scenarios)

    def objectives(self, scenario: str) -> Objectives | None:
        """What one scenario was held to; None where run.json does not say."""
        try:
            return resolve_objectives(self.facts["objectives"], self.target, scenario, source="run.json")
        except (KeyError, UnusableInput):
            return None


def worst(verdicts: Any) -> str:
    """MISSED > UNPROVEN > MET; nothing at all, or a word nobody knows, is UNPROVEN."""
    found = [v if v in WORST_FIRST else "UNPROVEN" for v in verdicts]
    return min(found, key=WORST_FIRST.index, default="UNPROVEN")


def load_run(directory: Path) -> Run:
    """Read a run's directory; raises UnusableInput with a sentence where it is none."""
    if not directory.is_dir():
        raise UnusableInput(f"{directory} is not a directory: give the directory of a run, such as reports/runs/latest")
    facts_file = directory / "run.json"
    if not facts_file.exists():
        raise UnusableInput(f"{directory} holds no run.json: give the directory of a run, such as reports/runs/latest")
    facts = _read_object(facts_file)
    folders = sorted(p for p in (directory / "scenarios").glob("*") if p.is_dir())
    run = Run(directory, facts, ())
    scenarios = tuple(load_scenario(p, run) for p in folders)
    return Run(directory, facts, scenarios, load_repeated(directory))


def load_scenario(directory: Path, run: Run | None = None) -> Scenario:
    """Read one scenario's verdict.json; a scenario without one was never judged and so is UNPROVEN."""
    path = directory / "verdict.json"
    name, repetition = scenario_and_repetition(directory.name)
    if not path.exists():
        return Scenario(
            name=name,
            repetition=repetition,
            directory=directory,
            verdict="UNPROVEN",
            pace=run.pace if run else 1.0,
            target=run.target if run else "unknown",
            reasons=("never judged: there is no verdict.json",),
        )
    said = _read_object(path)
    measured = said.get("measurements")
    if not isinstance(measured, dict):
        raise UnusableInput(
            f"{path} has no table 'measurements': judge the scenario again with `python -m drill judge`"
        )
    try:
        figures = {name: read_figure(found) for name, found in measured.items()}
        waterfall = msgspec.convert(said.get("waterfall") or [], tuple[Phase, ...])
        reasons = msgspec.convert(said.get("reasons") or [], tuple[str, ...])
        cohorts = {name: _cohort(found) for name, found in (said.get("cohorts") or {}).items()}
    except (msgspec.ValidationError, AttributeError) as e:
        raise UnusableInput(f"{path} is not the verdict.json this drill writes ({e}): judge the scenario again") from e
    return Scenario(
        name=str(said.get("scenario", name)),
        repetition=repetition,
        directory=directory,
        verdict=worst([said.get("verdict")]),
        expected=str(said.get("expected", "MET")),
        pace=_number(said.get("pace"), path, "pace", run.pace if run else 1.0),
        target=str(said.get("target", run.target if run else "unknown")),
        figures=figures,
        waterfall=waterfall,
        reasons=reasons,
        cohorts=cohorts,
    )


def load_runs(directory: Path) -> tuple[Run, ...]:
    """Every run under a runs directory, oldest first; folders without run.json are none, `latest` is not counted."""
    if not directory.is_dir():
        raise UnusableInput(f"{directory} is not a directory: give the directory that holds the runs (reports/runs)")
    found = [
        load_run(p)
        for p in sorted(directory.iterdir())
        if not p.is_symlink() and p.is_dir() and (p / "run.json").exists()
    ]
    return tuple(sorted(found, key=lambda r: (r.started_at, r.run_id)))


def _cohort(found: Any) -> Cohort:
    return Cohort(int(found.get("requests") or 0), int(found.get("failed") or 0), read_figure(found.get("rto_s") or {}))


def _number(value: Any, path: Path, name: str, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableInput(f"{path}: {name} is {value!r}, not a number: restore the file")
    return float(value)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise UnusableInput(f"{path} cannot be read as JSON ({e}): restore the file") from e
    if not isinstance(found, dict):
        raise UnusableInput(f"{path} is not a JSON object: restore the file")
    return found
