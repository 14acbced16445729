"""An outage that nobody here caused: measured, and never taken for a proof of recovery; read-only mode writes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from drill.history import NS, History
from infra_fixtures.run_layout import REPOSITORY, RunLayout
from tests.attached.scripted import Scripted, scripted
from tests.attached.test_drill import OBJECTIVES

READ_ONLY = "read_only = true\nread_keys = [11, 12, 13]\nrate_cap = 25.0"
WATCH_S = 9.0


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """It stands, with three records of its users."""
    with scripted(layout, tmp_path) as stands:
        (tmp_path / "store.jsonl").write_text(
            "".join(json.dumps({"key": k, "amount": k % 9973 + 1}) + "\n" for k in (11, 12, 13))
        )
        yield stands


@pytest.mark.nightly
def test_an_outage_of_others_is_measured_by_reads_alone(system: Scripted, tmp_path: Path) -> None:
    """It is killed by somebody else: outage_s holds the truth, RTO and RPO are unproven, nothing is written, the cap holds."""
    stored = (tmp_path / "store.jsonl").read_bytes()
    topology = system.description(more=READ_ONLY)
    (tmp_path / "objectives.toml").write_text(OBJECTIVES)
    words = ["observe", "--for", str(WATCH_S), "--target", "attach", "--topology", str(topology), "--rate", "1000"]
    words += ["--objectives", str(tmp_path / "objectives.toml"), "--runs-dir", str(tmp_path / "runs")]
    with subprocess.Popen(
        [sys.executable, "-m", "scenarios", *words],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as observing:  # fmt: skip
        assert observing.stdout is not None
        said = ""
        for line in observing.stdout:
            said += line
            if "observing" in line:
                break
        time.sleep(1.0)
        before_ns = time.monotonic_ns()
        os.kill(int(system.pid_file(system.primary).read_text()), signal.SIGKILL)
        after_ns = time.monotonic_ns()
        said += observing.stdout.read()
    assert observing.returncode == 0, said
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir() and not p.is_symlink()]
    directory = run / "scenarios" / "observed"
    verdict = json.loads((directory / "verdict.json").read_text())
    figures = verdict["measurements"]
    (flipped_ns,) = system.flipped_ns
    least, most = (flipped_ns - after_ns) / NS - 0.1, (flipped_ns - before_ns) / NS
    outage = figures["outage_s"]
    assert outage["lower"] <= most, verdict["reasons"]
    assert least <= outage["upper"], verdict["reasons"]
    assert outage["upper"] < most + 1.5
    assert outage["verdict"] == "MET"
    assert figures["outages"]["value"] == 1
    assert figures["downtime_s"]["lower"] <= figures["downtime_s"]["value"] <= figures["downtime_s"]["upper"]
    assert verdict["verdict"] == "UNPROVEN"
    assert figures["rto_s"]["value"] is None
    assert figures["rpo_s"]["verdict"] == "UNPROVEN"
    assert any("when the fault began is not known" in reason for reason in verdict["reasons"])
    _only_reads(History.load(directory), rate_cap=25.0)
    assert (tmp_path / "store.jsonl").read_bytes() == stored


def _only_reads(history: History, rate_cap: float) -> None:
    """Nothing else was sent, of the known records, and never more than the cap in any second."""
    assert history.ops is not None
    assert set(history.ops["op"]) == {"read"}
    assert set(history.ops["key"]) <= {11, 12, 13}
    seconds = history.ops.group_by(pl.col("intended_ns") // NS).len()
    assert rate_cap * 0.9 <= seconds["len"].max() <= rate_cap + 1  # type: ignore[operator]
