"""What Allure is told, read back from the results it writes for a real pytest run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reports.allure import CATEGORIES, write_environment
from tests.reports.outage import GAMEDAY, write_run

ROOT = Path(__file__).parents[2]
TESTS = """
import sys
from pathlib import Path
import pytest
from drill.run import Unproven
from reports.allure import PhaseSteps, attach_scenario, label_outcome, label_scenario
from reports.pictures import draw
from reports.record import load_run

RUN = Path({run!r})

@pytest.fixture
def steps():
    shown = PhaseSteps()
    yield shown
    shown.close()

def test_met(steps):
    label_scenario("primary_region_lost", "embedded", 10.0, {{"rate": 200, "seed": 7}})
    for phase in ("baseline", "breaking", "publishing"):
        steps.phase(phase)
    run = load_run(RUN)
    draw(run.drills[0], run)
    attach_scenario(RUN / "scenarios" / "primary_region_lost")
    label_outcome(RUN / "scenarios" / "primary_region_lost")

def test_check(steps):
    label_outcome(RUN / "scenarios" / "nothing_broken")

def test_missed(steps):
    assert False, "MISSED: rto_s never"

def test_unproven(steps):
    raise Unproven("UNPROVEN: no fault mark")

def test_fault(steps):
    steps.phase("awaiting recovery")
    raise RuntimeError("the proxy is gone")
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Allure's results of five scenarios: MET, MISSED, UNPROVEN, a fault of the harness, a check of it."""
    home = tmp_path_factory.mktemp("allure")
    run = write_run(home / "run", (GAMEDAY[0], GAMEDAY[5]))
    (home / "test_it.py").write_text(TESTS.format(run=str(run)))
    out = home / "results"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--alluredir", str(out), str(home)]
    done = subprocess.run(
        [*command, "--rootdir", str(home)], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert "3 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    found = [json.loads(p.read_text()) for p in out.glob("*-result.json")]
    return {r["fullName"].rpartition("#")[2]: r for r in found}


def test_a_scenario_is_labelled_and_parametrised(results: dict[str, Any]) -> None:
    """Epic, feature, severity, tags, target, pace and rate can be filtered by."""
    labels = {(x["name"], x["value"]) for x in results["test_met"]["labels"]}
    assert {("epic", "Disaster recovery"), ("feature", "Primary region lost"), ("severity", "critical")} <= labels
    assert {("tag", "embedded"), ("tag", "pace-10")} <= labels
    assert ("epic", "Harness checks") in {(x["name"], x["value"]) for x in results["test_check"]["labels"]}
    parameters = {x["name"]: x["value"].strip("'") for x in results["test_met"]["parameters"]}
    assert parameters == {"target": "embedded", "pace": "10", "rate": "200", "seed": "7"}
    assert results["test_met"]["name"] == "Primary region lost on embedded at pace 10"


def test_what_differs_in_every_run_does_not_tell_one_test_from_another(results: dict[str, Any]) -> None:
    """The seed is shown but stands outside of Allure's history, which could not join two runs otherwise."""
    assert [x["name"] for x in results["test_met"]["parameters"] if x.get("excluded")] == ["seed"]


def test_the_figures_an_objective_was_set_for_stand_in_the_description(results: dict[str, Any]) -> None:
    """A reader sees verdict, value, bounds and objective without opening an attachment."""
    description = results["test_met"]["description"]
    assert description.startswith("**MET**")
    assert "| RTO | 8.42 s |" in description


def test_phases_are_steps_and_proofs_are_attached_to_the_test(results: dict[str, Any]) -> None:
    """Each phase is a step; pictures and records stand at the test itself, not inside the last step."""
    met = results["test_met"]
    assert [(s["name"], s["status"]) for s in met["steps"]] == [("Baseline", "passed"), ("Breaking", "passed")]
    attached = [a["name"] for a in met["attachments"]]
    assert attached == ["Timeline", "Waterfall", "Figures", "verdict.json", "marks.jsonl"]


def test_a_phase_the_drill_did_not_come_out_of_is_broken(results: dict[str, Any]) -> None:
    """The step that was open when the harness failed says so."""
    [step] = results["test_fault"]["steps"]
    assert (step["name"], step["status"]) == ("Awaiting recovery", "broken")


@pytest.mark.parametrize(
    ("test", "category"),
    [
        ("test_missed", "Missed objective"),
        ("test_unproven", "Unproven: the evidence does not suffice"),
        ("test_fault", "Harness fault"),
    ],
)
def test_each_failure_falls_into_exactly_one_category(results: dict[str, Any], test: str, category: str) -> None:
    """As Allure matches: the status is one of the category's and its pattern covers the whole message."""
    result = results[test]
    message = result["statusDetails"]["message"]
    matched: list[Any] = [
        c["name"]
        for c in CATEGORIES
        if result["status"] in c["matchedStatuses"] and re.fullmatch(str(c.get("messageRegex", "(?s).*")), message)
    ]
    assert matched == [category]


def test_the_run_s_environment_is_written_for_allure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Target, pace, fidelity and versions stand in the report; on GitHub the executor links back to its run."""
    run = write_run(tmp_path, ())
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    write_environment(run)
    results = run / "allure-results"
    properties = (results / "environment.properties").read_text()
    assert "Pace = 10\n" in properties
    assert "fidelity.control\\ plane = EMULATOR: moto\n" in properties
    executor = json.loads((results / "executor.json").read_text())
    assert executor["buildUrl"] == "https://github.example/a/b/actions/runs/7"
    assert len(json.loads((results / "categories.json").read_text())) == 3
