"""A run as it lies on disk, read back for people: run.json, each scenario's verdict.json, and where its history is.

Reports are built from these records alone, so that anyone who holds the directory can build the same ones again.
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from drill.expectation import Expectation
from drill.history import History
from drill.objective import Objectives, resolve_objectives
from drill.plain_file import folders, is_directory, read_json
from drill.repetition import directory_name
from drill.stored import Stored
from drill.unusable import UnusableInput
from reports.figure import Figure, read_figure
from reports.repeated import Repeated, load_repeated
from reports.resigned import Resigned, load_resigned
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
    doubts: tuple[str, ...] = ()
    """What its proof lacks."""
    expected: Expectation = field(default_factory=Expectation)
    """What the scenario says must come out; a check of the harness itself expects UNPROVEN."""
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    repetition: int = 1
    judged: bool = True
    """Whether it came to a verdict: one that was cancelled, or never drilled, is told as UNPROVEN and is no result."""
    judged_by: str = ""
    """A sentence: which objectives it was judged by, and which limits were defaults."""

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
    def is_check(self) -> bool:
        """Whether it checks the harness itself, which must then come out otherwise than MET."""
        return self.expected.is_check

    @property
    def as_intended(self) -> bool:
        """Whether what came out is what had to."""
        return self.expected.met_by(self.verdict, self.doubts)

    @property
    def counts_as(self) -> str:
        """Its verdict; that of a check of the harness is MET where it came out as intended, else MISSED."""
        if not self.is_check:
            return self.verdict
        return "MET" if self.as_intended else "MISSED"

    @property
    def outcome(self) -> str:
        """The verdict in words; of a check of the harness, whether it came out as intended."""
        if not self.is_check:
            return self.verdict
        return f"harness check {'as intended' if self.as_intended else 'NOT as intended'} ({self.verdict})"

    @property
    def reason(self) -> str:
        """The one sentence that decided the verdict, empty if the record gives none."""
        if self.is_check and not self.as_intended:
            return "; ".join([f"{self.expected} was to come out", *self.reasons[:1]])
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
    signer: str = ""
    """Who signs it, with the key's fingerprint; empty where it is not being signed."""
    resigned: tuple[Resigned, ...] = ()
    """Signatures that others took the place of."""

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
        """The worst of its drills, UNPROVEN where there is none; a check of the harness that went wrong puts all in doubt."""
        doubt = ["UNPROVEN" for s in self.checks if not s.as_intended]
        return worst([*(s.verdict for s in self.drills), *doubt])

    @property
    def drills(self) -> tuple[Scenario, ...]:
        """The scenarios that drill the system."""
        return tuple(s for s in self.scenarios if not s.is_check)

    @property
    def checks(self) -> tuple[Scenario, ...]:
        """The scenarios that check the harness itself."""
        return tuple(s for s in self.scenarios if s.is_check)

    @property
    def met(self) -> str:
        """How the drills came out: 5 of 5 MET."""
        if not self.drills:
            return "" if self.checks else "no scenario was run"
        found = [s.verdict for s in self.drills]
        others = [f"{found.count(v)} {v}" for v in ("MISSED", "UNPROVEN") if v in found]
        return ", ".join([f"{found.count('MET')} of {len(found)} MET", *others])

    @property
    def checked(self) -> str:
        """How the checks of the harness came out; empty where there was none."""
        wrong, all_ = sum(not s.as_intended for s in self.checks), len(self.checks)
        if not all_:
            return ""
        if all_ == 1:
            return f"harness check {'NOT ' if wrong else ''}as intended"
        return f"{wrong} of {all_} harness checks NOT as intended" if wrong else f"{all_} harness checks as intended"

    @property
    def tally(self) -> str:
        """Both in a line: 5 of 5 MET; harness check as intended."""
        return "; ".join(x for x in (self.met, self.checked) if x)

    @property
    def signatures(self) -> list[str]:
        """A sentence for who signs and for every signature that was replaced."""
        return [*([f"Signed by {self.signer}."] if self.signer else []), *(r.sentence() for r in self.resigned)]

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
    if not is_directory(directory):
        raise UnusableInput(f"{directory} is not a directory: give the directory of a run, such as reports/runs/latest")
    facts = _read_object(directory / "run.json")
    if facts is None:
        raise UnusableInput(f"{directory} holds no run.json: give the directory of a run, such as reports/runs/latest")
    run = Run(directory, facts, ())
    folder = directory / "scenarios"
    chosen = facts.get("scenarios")
    never = (
        {folder / name for name in chosen if isinstance(name, str) and "/" not in name}
        if isinstance(chosen, list)
        else set()
    )
    scenarios = tuple(load_scenario(path, run) for path in sorted({*folders(folder), *never}))
    return Run(directory, facts, scenarios, load_repeated(directory), resigned=load_resigned(directory))


def load_scenario(directory: Path, run: Run | None = None) -> Scenario:
    """Read one scenario's verdict.json; a scenario without one was never judged and so is UNPROVEN."""
    path = directory / "verdict.json"
    said = _read_object(path)
    if said is None:
        stored = Stored(directory, run.facts if run else {})
        return Scenario(
            name=stored.scenario,
            repetition=stored.repetition,
            directory=directory,
            verdict="UNPROVEN",
            expected=stored.expected,
            pace=run.pace if run else 1.0,
            target=run.target if run else "unknown",
            reasons=("never judged: there is no verdict.json",),
            judged=False,
        )
    return read_scenario(directory, said, run)


def read_scenario(directory: Path, said: dict[str, Any], run: Run | None = None) -> Scenario:
    """A scenario as its verdict.json says, or would; raises UnusableInput for what this drill does not write."""
    path = directory / "verdict.json"
    stored = Stored(directory, run.facts if run else {})
    measured = said.get("measurements")
    if not isinstance(measured, dict):
        raise UnusableInput(
            f"{path} has no table 'measurements': judge the scenario again with `python -m drill judge`"
        )
    try:
        figures = {name: read_figure(found) for name, found in measured.items()}
        waterfall = msgspec.convert(said.get("waterfall") or [], tuple[Phase, ...])
        reasons = msgspec.convert(said.get("reasons") or [], tuple[str, ...])
        doubts = msgspec.convert(said.get("doubts") or [], tuple[str, ...])
        cohorts = {name: _cohort(found) for name, found in (said.get("cohorts") or {}).items()}
    except (msgspec.ValidationError, AttributeError, TypeError, ValueError, OverflowError) as e:
        raise UnusableInput(f"{path} is not the verdict.json this drill writes ({e}): judge the scenario again") from e
    return Scenario(
        name=str(said.get("scenario", stored.scenario)),
        repetition=stored.repetition,
        directory=directory,
        verdict=worst([said.get("verdict")]),
        expected=stored.expected,
        pace=_number(said.get("pace"), path, "pace", run.pace if run else 1.0),
        target=str(said.get("target", run.target if run else "unknown")),
        figures=figures,
        waterfall=waterfall,
        reasons=reasons,
        doubts=doubts,
        cohorts=cohorts,
        judged=not stored.interrupted,
        judged_by=stored.objectives(None).sentence(),
    )


def load_runs(directory: Path) -> tuple[Run, ...]:
    """Every run under a runs directory, oldest first; folders without run.json are none, `latest` is not counted.

    A run is its run_id: of several copies (one unpacked twice, `latest` copied as a folder) one counts, that which is
    named after it where there is such a one.
    """
    if not is_directory(directory):
        raise UnusableInput(f"{directory} is not a directory: give the directory that holds the runs (reports/runs)")
    found = [load_run(p) for p in folders(directory) if not p.is_symlink() and os.path.lexists(p / "run.json")]
    by_id: dict[str, Run] = {}
    for run in sorted(found, key=lambda r: (r.directory.name != r.run_id, r.directory.name)):
        by_id.setdefault(run.run_id, run)
    return tuple(sorted(by_id.values(), key=lambda r: (r.started_at, r.run_id)))


def _cohort(found: Any) -> Cohort:
    return Cohort(int(found.get("requests") or 0), int(found.get("failed") or 0), read_figure(found.get("rto_s") or {}))


def _number(value: Any, path: Path, name: str, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableInput(f"{path}: {name} is {value!r}, not a number: restore the file")
    return float(value)


def _read_object(path: Path) -> dict[str, Any] | None:
    found = read_json(path)
    if found is not None and not isinstance(found, dict):
        raise UnusableInput(f"{path} is not a JSON object: restore the file")
    return found
