"""What a run does not prove is said by every report, whoever wrote the record."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from reports.limitations import fidelity, fidelity_statement, judged_by, not_proven
from reports.record import load_run
from tests.reports.outage import GAMEDAY, write_run


def test_pace_fidelity_and_unproven_scenarios_are_told(tmp_path: Path) -> None:
    """Faster timers, models and emulators, and what came out UNPROVEN each have their sentence."""
    unproven = dataclasses.replace(GAMEDAY[1], verdict="UNPROVEN", reason="survivors.parquet is missing")
    told = " ".join(not_proven(load_run(write_run(tmp_path, (*GAMEDAY[2:], unproven)))))
    for words in (
        "10 times faster",
        "aurora (a pair of PostgreSQL 16",
        "control plane (moto)",
        "database_primary_lost",
    ):
        assert words in told
    assert "nothing_broken" not in told, "a check of the harness that came out as intended leaves nothing unproven"


def test_the_target_s_own_words_are_used_where_it_has_some(tmp_path: Path) -> None:
    """A target knows best what it cannot prove; what holds for every drill is added."""
    told = not_proven(load_run(write_run(tmp_path, GAMEDAY[:1], not_proven=["that AWS behaves so"])))
    assert told[0] == "That AWS behaves so."
    assert not any("faster" in s for s in told), "what was paced is the target's to say"
    assert told[-1].startswith("Any failure other")


def test_a_silent_record_is_not_taken_for_real(tmp_path: Path) -> None:
    """Where fidelity is missing or a word nobody knows, nothing is called REAL."""
    silent = load_run(write_run(tmp_path / "a", (), fidelity={}))
    assert "take none of them for real" in fidelity_statement(silent)
    assert any("does not say" in s for s in not_proven(silent))
    odd = load_run(write_run(tmp_path / "b", (), fidelity={"aurora": "genuine"}))
    assert fidelity(odd) == [("aurora", "UNKNOWN", "")]


def test_aws_at_its_own_pace_has_no_model_to_excuse(tmp_path: Path) -> None:
    """On AWS only what every drill leaves open remains."""
    run = load_run(write_run(tmp_path, GAMEDAY[:1], target="aws", pace=1, fidelity={"aurora": "REAL"}))
    assert len(not_proven(run)) == 1
    assert fidelity_statement(run) == "REAL: aurora."


def test_objectives_that_differ_name_their_scenarios(tmp_path: Path) -> None:
    """One sentence where all are judged alike; else each says for whom it holds, or it would look like the same line twice."""
    alike = judged_by(load_run(write_run(tmp_path / "alike")))
    assert len(alike) == 1
    assert "primary_region_lost" not in alike[0]
    tables = {"default": {"rto_s": 15.0}, "scenario": {"lambda_throttled": {"lost_writes": 0}}}
    told = judged_by(load_run(write_run(tmp_path / "apart", GAMEDAY[3:], objectives=tables)))
    assert [sentence.partition("not judged: ")[2] for sentence in told] == [
        "lost_writes, s3_lag_p99_s, reliability (nothing_broken and planned_switchover).",
        "s3_lag_p99_s, reliability (lambda_throttled).",
    ]
