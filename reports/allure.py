"""What Allure is told of a drill: labels, parameters, a step a phase, pictures and records, and the run's environment.

Results go to the run's `allure-results/`; `reports.allure_html` makes a report of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import allure as _allure

from drill.stored import Together
from reports.record import Run, Scenario, load_run, load_scenario
from reports.summary import figure_rows
from reports.wording import title

ALLURE: Any = _allure
"""Allure's API has no types."""
NOT_STEPS = frozenset({"standing up", "publishing", "tearing down"})
"""Phases outside the test's body, or in which its attachments are made: Allure files what happens in a step under it."""

PER_RUN = frozenset({"seed"})
"""Parameters that differ in every run: shown, but not what tells one test from another in Allure's history."""

CATEGORIES = (
    {"name": "Missed objective", "matchedStatuses": ["failed"]},
    {
        "name": "Unproven: the evidence does not suffice",
        "matchedStatuses": ["broken"],
        "messageRegex": r"[\s\S]*\bUnproven\b[\s\S]*",
    },
    {
        "name": "Harness fault",
        "matchedStatuses": ["broken"],
        "messageRegex": r"(?![\s\S]*\bUnproven\b)[\s\S]*",
    },
)
"""Written without flags: Allure 2 reads them as Java does, Allure 3 as JavaScript does."""


class Unfinished(Exception):
    """A phase that the drill did not come out of."""


def label_scenario(
    scenario: str,
    target: str,
    pace: float,
    load: Mapping[str, Any] | None = None,
    *,
    severity: str = "critical",
) -> None:
    """Label the running test, from its body (what a fixture says is overwritten); outside of Allure it does nothing."""
    ALLURE.dynamic.feature(title(scenario))
    ALLURE.dynamic.title(f"{title(scenario)} on {target} at pace {pace:g}")
    ALLURE.dynamic.severity(severity)
    ALLURE.dynamic.tag(target, f"pace-{pace:g}", scenario)
    ALLURE.dynamic.parameter("target", target)
    ALLURE.dynamic.parameter("pace", f"{pace:g}")
    for name, value in (load or {}).items():
        ALLURE.dynamic.parameter(name, value, excluded=name in PER_RUN)


def label_outcome(directory: Path) -> str:
    """Count the running test among the drills or, apart, among the checks of the harness; how it came out, for JUnit."""
    scenario = load_scenario(directory)
    ALLURE.dynamic.epic("Harness checks" if scenario.is_check else "Disaster recovery")
    return scenario.outcome


class PhaseSteps:
    """An observer of a drill that makes each phase a step of the running test."""

    def __init__(self) -> None:
        self._open: Any = None
        self._name = ""

    def phase(self, name: str) -> None:
        """End the step before and begin this one."""
        self._end(None)
        if name not in NOT_STEPS:
            self._name, self._open = name, ALLURE.step(title(name))
            self._open.__enter__()

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment are for the terminal."""

    def mark(self, event: str, detail: str) -> None:
        """Marks are attached whole at the end; they also come from threads in which Allure knows no test."""

    def close(self) -> None:
        """End what is open as broken: the drill did not come out of that phase. Without an open step, nothing."""
        self._end(Unfinished(f"the drill ended while {self._name}"))

    def _end(self, error: Exception | None) -> None:
        step, self._open = self._open, None
        if step is not None:
            step.__exit__(type(error) if error else None, error, None)


def attach_scenario(directory: Path) -> None:
    """Attach pictures, verdict, marks and the figures as a table to the running test, those that are there."""
    scenario = load_scenario(directory)
    ALLURE.dynamic.description(_judged(scenario))
    for name in ("timeline", "waterfall"):
        if (directory / f"{name}.png").exists():
            ALLURE.attach.file(str(directory / f"{name}.png"), title(name), ALLURE.attachment_type.PNG)
    rows = [("Figure", "Value", "Bounds", "Objective", "Verdict", "Because"), *figure_rows(scenario)]
    ALLURE.attach("\n".join(",".join(_csv(c) for c in row) for row in rows), "Figures", ALLURE.attachment_type.CSV)
    for name, kind in (("verdict.json", ALLURE.attachment_type.JSON), ("marks.jsonl", ALLURE.attachment_type.TEXT)):
        if (directory / name).exists():
            ALLURE.attach.file(str(directory / name), name, kind)


def attach_repetitions(together: Together) -> None:
    """Attach what the runs of the running test's scenario show together: each run, median, worst, reliability."""
    for whole, context in together:
        said = json.dumps(whole.to_json(**context), indent=2)
        ALLURE.attach(said, f"{whole.requested} runs together", ALLURE.attachment_type.JSON)


def write_environment(run_directory: Path, results: Path | None = None, signer: str = "") -> None:
    """Write environment.properties, executor.json and categories.json into the run's allure-results (or `results`)."""
    run = replace(load_run(run_directory), signer=signer)
    results = results or run_directory / "allure-results"
    results.mkdir(parents=True, exist_ok=True)
    write_properties(run, results)
    (results / "executor.json").write_text(json.dumps(_executor(run.run_id), indent=2), encoding="utf-8")
    (results / "categories.json").write_text(json.dumps(CATEGORIES, indent=2), encoding="utf-8")


def write_properties(run: Run, results: Path) -> None:
    """Write environment.properties: what the run is, who signs it, and every signature that was replaced."""
    facts = {
        "Run": run.run_id,
        "Target": run.target,
        "Pace": f"{run.pace:g}",
        "Started": run.started,
        "Commit": f"{run.facts.get('commit') or 'unknown'}{' (dirty)' if run.facts.get('dirty') else ''}",
        "Seed": run.facts.get("seed"),
        "Topology": run.facts.get("topology_digest"),
        "Python": run.facts.get("python"),
        "Platform": run.facts.get("platform"),
    }
    facts |= {"Signed by": run.signer} if run.signer else {}
    facts |= {f"Signed again {n}": r.sentence() for n, r in enumerate(run.resigned, start=1)}
    for kind in ("fidelity", "versions"):
        found = run.facts.get(kind)
        facts |= {f"{kind}.{k}": v for k, v in (found if isinstance(found, dict) else {}).items()}
    lines = [f"{_property_key(k)} = {_property(str(v))}\n" for k, v in facts.items()]
    (results / "environment.properties").write_text("".join(lines), encoding="utf-8")


def _judged(scenario: Scenario) -> str:
    """The verdict, its reason, and the figures that an objective was set for: what a reader looks for first."""
    rows = [row[:5] for row in figure_rows(scenario) if row[3]]
    table = [f"| {' | '.join(row)} |" for row in [("figure", "value", "bounds", "objective", "verdict"), *rows]]
    table.insert(1, "|---" * 5 + "|")
    return "\n".join(
        [f"**{scenario.outcome}** {scenario.reason}", "", scenario.judged_by, *(["", *table] if rows else [])]
    )


def _executor(run_id: str) -> dict[str, Any]:
    """Who ran it; GitHub names itself in the environment (docs.github.com, "Variables reference")."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        server, repository = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
        url = f"{server}/{repository}/actions/runs/{os.environ.get('GITHUB_RUN_ID', '')}"
        name = f"{os.environ.get('GITHUB_WORKFLOW', '')} #{os.environ.get('GITHUB_RUN_NUMBER', '')}"
        return {"name": "GitHub Actions", "type": "github", "buildName": name, "buildUrl": url, "reportName": run_id}
    return {"name": "local", "type": "local", "buildName": run_id, "reportName": f"DR drill {run_id}"}


def _property_key(key: str) -> str:
    return "".join(f"\\{c}" if c in " :=\\" else c for c in key)


def _property(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", " ")


def _csv(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\n') else cell
