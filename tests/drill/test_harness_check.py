"""A check of the harness itself must come out as it is expected to, and `judge` counts it apart."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from drill.history import History, Mark
from tests.drill.scripted import history
from tests.drill.test_hostile_input import OBJECTIVES, judged


def _nobody_felt_it() -> History:
    return history(down_s=0.0)


def _expecting(whole: History, verdict: str) -> History:
    return dataclasses.replace(whole, marks=(Mark(0, "drill.expected", "check", verdict), *(whole.marks or ())))


@pytest.mark.parametrize(
    ("whole", "verdict_json", "status", "said"),
    [
        (_expecting(_nobody_felt_it(), "UNPROVEN"), None, 0, "check: UNPROVEN (harness check as intended)"),
        (_expecting(history(), "UNPROVEN"), None, 1, "check: MET (harness check NOT as intended"),
        (_expecting(_nobody_felt_it(), "MET"), {"expected": "UNPROVEN"}, 1, "check: UNPROVEN"),
        (_expecting(_nobody_felt_it(), "UNPROVEN: felt"), None, 0, "(harness check as intended)"),
        (_expecting(_nobody_felt_it(), "UNPROVEN: died"), None, 1, "NOT as intended, which is UNPROVEN: died"),
        (_nobody_felt_it(), {"expected": "UNPROVEN"}, 0, "(harness check as intended)"),
        (_nobody_felt_it(), None, 1, "check: UNPROVEN"),
        (_expecting(_nobody_felt_it(), "nonsense"), None, 1, "check: UNPROVEN"),
    ],
    ids=[
        "as intended",
        "met",
        "the mark wins over verdict.json",
        "for its reason",
        "for another reason",
        "an older record",
        "no check",
        "an unknown word",
    ],
)
def test_what_must_come_out_decides_the_exit_status(
    tmp_path: Path, whole: History, verdict_json: dict[str, str] | None, status: int, said: str
) -> None:
    """The mark in the raw records says what is expected; where older ones have none, verdict.json does."""
    (tmp_path / "o.toml").write_text(OBJECTIVES)
    whole.save(tmp_path / "check")
    if verdict_json:
        (tmp_path / "check" / "verdict.json").write_text(json.dumps(verdict_json))
    found, out, _ = judged(tmp_path / "check", "--objectives", tmp_path / "o.toml")
    assert (found, said in out) == (status, True)
