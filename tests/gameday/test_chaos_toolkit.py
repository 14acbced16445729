"""Chaos Toolkit itself runs our faults and probes: the page's experiment holds, a broken one deviates, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drill.host_environment import child_environment
from drill.unusable import UnusableInput
from drill.wait import wait_until
from gameday.options import Options
from gameday.stage import Sightings, Stage, fault_of
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.orphan_runs import orphans
from infra_fixtures.safety.sweep import processes_of
from tests.docs.pages import ROOT, blocks
from tests.installation import programs_of

LIMIT_S = 400.0
CONTROL = "gameday.chaos_toolkit"


def _experiment() -> dict[str, Any]:
    """The page's."""
    found: dict[str, Any] = json.loads(blocks("json", "chaos-toolkit.md")[0].text)
    return found


def _chaos(tmp_path: Path, experiment: dict[str, Any]) -> subprocess.Popen[str]:
    """`chaos run` of it, in an environment that has Chaos Toolkit beside all that a drill needs."""
    experiment["configuration"]["drill_options"] += ["--runs-dir", str(tmp_path / "runs")]
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    return subprocess.Popen(
        [programs_of("chaostoolkit", "run") / "chaos", "--no-version-check", "run", "experiment.json"],
        cwd=tmp_path,
        env=child_environment(os.environ, PYTHONPATH=str(ROOT), HOME=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _journal(tmp_path: Path, chaos: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = chaos.communicate(timeout=LIMIT_S)
    assert (tmp_path / "journal.json").exists(), said
    journal: dict[str, Any] = json.loads((tmp_path / "journal.json").read_text())
    journal["said"] = said
    return journal


def _assert_nothing_is_left(runs: Path) -> None:
    assert not list(orphans(runs))
    for run in runs.iterdir():
        assert not list(processes_of(run.name))


@pytest.mark.nightly
@pytest.mark.timeout(LIMIT_S)
def test_the_experiment_of_the_page_holds(tmp_path: Path) -> None:
    """The database is lost, the standby promoted, all given back, and steady again."""
    journal = _journal(tmp_path, _chaos(tmp_path, _experiment()))
    assert (journal["status"], journal["deviated"]) == ("completed", False), journal["said"]
    activities = {run["activity"]["name"]: run for run in journal["run"]}
    assert activities["lose the database"]["output"]["subject"] == "us-east-1"
    assert "us-west-2" in activities["the standby was promoted"]["output"]
    assert journal["steady_states"]["after"]["steady_state_met"] is True
    _assert_nothing_is_left(tmp_path / "runs")


@pytest.mark.nightly
@pytest.mark.timeout(LIMIT_S)
def test_an_experiment_that_heals_nothing_deviates_and_leaves_nothing(tmp_path: Path) -> None:
    """The hypothesis sees the fault; unknown faults and figures of which nothing is heard are failed activities."""
    experiment = _experiment()
    lose = experiment["method"][0]
    lose["provider"]["arguments"] = {"fault": "region_lost"}
    lag = _probe("figure", metric="replication_lag_s", subject="no such store")
    unknown = _probe("inject", fault="no_such_fault")
    experiment["method"] = [{**lose, "pauses": {"after": 3}}, lag, unknown]
    experiment["steady-state-hypothesis"]["probes"][0]["provider"]["arguments"]["timeout_s"] = 5
    journal = _journal(tmp_path, _chaos(tmp_path, experiment))
    assert journal["deviated"] is True
    assert journal["steady_states"]["after"]["steady_state_met"] is False
    assert [run["status"] for run in journal["run"]] == ["succeeded", "failed", "failed"]
    assert "is not known now" in str(journal["run"][1]["exception"])
    assert "there is no fault no_such_fault" in str(journal["run"][2]["exception"])
    _assert_nothing_is_left(tmp_path / "runs")


@pytest.mark.nightly
@pytest.mark.timeout(LIMIT_S)
def test_a_killed_chaos_toolkit_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL while the fault stands: the watchdog heals and ends everything."""
    experiment = _experiment()
    experiment["method"][0]["pauses"] = {"after": 300}
    chaos = _chaos(tmp_path, experiment)
    runs = tmp_path / "runs"

    def broken() -> bool:
        return any('"begun"' in path.read_text() for path in runs.glob("*/journal.jsonl"))

    wait_until(broken, what="the fault to be journalled", timeout_s=LIMIT_S / 2)
    time.sleep(0.5)
    chaos.send_signal(signal.SIGKILL)
    chaos.wait()
    run = next(runs.glob("*/journal.jsonl")).parent.name
    wait_until(lambda: not list(processes_of(run)), what="the watchdog to end everything", timeout_s=20)
    wait_until(lambda: not list(orphans(runs)), what="the journal to be ended", timeout_s=10)


@pytest.mark.nightly
@pytest.mark.timeout(LIMIT_S)
def test_an_experiment_whose_system_cannot_stand_is_not_run(tmp_path: Path) -> None:
    """A mistake in the options interrupts it before its method."""
    experiment = _experiment()
    experiment["configuration"]["drill_options"] = ["--target", "moon"]
    journal = _journal(tmp_path, _chaos(tmp_path, experiment))
    assert journal["run"] == []
    assert "--target moon is unknown" in journal["said"]


def _probe(function: str, **arguments: str) -> dict[str, Any]:
    provider = {"type": "python", "module": CONTROL, "func": function, "arguments": arguments}
    return {"type": "action", "name": function, "provider": provider}


def test_a_fault_of_an_experiment_is_one_of_the_catalogue() -> None:
    """By name and parameters; anything else is refused with what there is."""
    assert fault_of("database_lost", {"region": "standby"}) == DatabaseLost("standby")
    for kind, parameters, words in (
        ("no_such", {}, "there is no fault no_such"),
        ("database_lost", {"regoin": "standby"}, "regoin"),
        ("database_lost", {"region": 3}, "region"),
    ):
        with pytest.raises(UnusableInput, match=words):
            fault_of(kind, parameters)


def test_a_figure_that_is_not_fresh_is_unknown() -> None:
    """Nothing heard is not zero; a probe that died makes everything unknown."""
    seen = Sightings()
    assert seen.figure("replication_lag_s", "aurora") is None
    seen.sample("replication_lag_s", "aurora", 0.25)
    assert seen.figure("replication_lag_s", "aurora") == 0.25
    seen.sample("replication_lag_s", "aurora", 0.25, time.monotonic_ns() - 3_000_000_000)
    assert seen.figure("replication_lag_s", "aurora") is None
    seen.mark("dns.answer", "api", "us-east-1")
    assert seen.last("dns.answer") == "us-east-1"
    assert seen.last("dns.answer", "other") is None
    seen.died = "dns_answer died: OSError"
    with pytest.raises(UnusableInput, match="dns_answer died"):
        seen.last("dns.answer")


def test_our_side_is_importable_without_a_drill() -> None:
    """Chaos Toolkit imports the module when it validates an experiment; that must start nothing."""
    code = "import sys, types; m = types.ModuleType('chaoslib.exceptions'); m.ActivityFailed = m.InterruptExecution = Exception;"
    code += "sys.modules['chaoslib'] = types.ModuleType('chaoslib'); sys.modules['chaoslib.exceptions'] = m;"
    code += f"import {CONTROL}, threading; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_a_real_account_is_refused(tmp_path: Path) -> None:
    """Nobody would have seen a plan, and no stop condition would be watched: before anything is asked of it."""
    with pytest.raises(UnusableInput, match="the target aws is a real account"):
        Stage(Options("aws", 1.0, tmp_path / "objectives.toml", tmp_path / "runs")).__enter__()
    assert not (tmp_path / "runs").exists()
