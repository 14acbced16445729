"""Objectives travel with the records, say which limits were defaults, and are refused where they name what is not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from drill.recorded_objectives import RECORDED, RecordedObjectives
from drill.unusable import UnusableInput
from tests.drill.scripted import history
from tests.drill.test_hostile_input import OBJECTIVES, judged

LENIENT = OBJECTIVES.replace("lost_writes = 0", "lost_writes = 3").replace("rpo_s = 1", "rpo_s = 9")


@pytest.fixture
def drill(tmp_path: Path) -> Path:
    """A drill of a run, judged by objectives that allow its three lost writes."""
    directory = tmp_path / "run" / "scenarios" / "lossy"
    history(lost=3).save(directory)
    (tmp_path / "o.toml").write_text(LENIENT)
    RecordedObjectives.of_file(tmp_path / "o.toml", "embedded", "lossy").write(directory)
    (tmp_path / "run" / "run.json").write_text(json.dumps({"target": "embedded", "pace": 10.0}))
    return directory


def test_a_drill_is_judged_by_the_same_objectives_wherever_it_is_moved(drill: Path, tmp_path: Path) -> None:
    """Alone, without run.json, it is as MET as in its run; without its objectives it is not."""
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(drill, moved)
    for place in (drill, moved):
        assert judged(place)[0] == 0
    said = json.loads(judged(moved, "--json")[1])
    assert (said["scenario"], said["target"]) == ("lossy", "embedded")
    (moved / RECORDED).unlink()
    assert judged(moved)[0] == 1


def test_objectives_given_win_over_those_recorded(drill: Path, tmp_path: Path) -> None:
    """With stricter ones the same records are MISSED."""
    (tmp_path / "strict.toml").write_text(OBJECTIVES)
    status, said, _ = judged(drill, "--objectives", tmp_path / "strict.toml")
    assert status == 1
    assert "strict.toml" in said


def test_every_verdict_says_by_what_it_was_judged_and_which_limits_were_defaults(drill: Path, tmp_path: Path) -> None:
    """The file, its hash, every value, and the keys that no table set; for people in a sentence."""
    found = json.loads(judged(drill, "--json")[1])["objectives"]
    assert found["file"] == str(tmp_path / "o.toml")
    assert found["sha256"] == hashlib.sha256(LENIENT.encode()).hexdigest()
    assert (found["values"]["rto_s"], found["values"]["lost_after_fault"]) == (30, 0)
    assert found["defaults"] == ["lost_after_fault", "s3_lag_p99_s", "availability", "reliability", "confidence"]
    said = " ".join(judged(drill)[1].split())
    assert "limits by default: lost_after_fault 0, availability 0.99, confidence 0.95" in said
    assert "not set and not judged: s3_lag_p99_s, reliability" in said


@pytest.mark.parametrize(
    ("table", "status", "said"),
    [
        ("scenario.losssy", 2, "there is no scenario losssy; did you mean lossy?"),
        ("target.embeded", 2, "there is no target embeded; did you mean embedded?"),
        ("scenario.primary_region_lost", 0, ""),
        ("scenario.lossy", 0, ""),
    ],
)
def test_a_misspelt_name_is_refused_and_one_that_was_not_run_is_not(
    drill: Path, tmp_path: Path, table: str, status: int, said: str
) -> None:
    """Stored records know their own names; a scenario they know nothing of may well exist."""
    (tmp_path / "given.toml").write_text(f"{LENIENT}\n[{table}]\nrto_s = 31\n")
    found, _, error = judged(drill, "--objectives", tmp_path / "given.toml")
    assert (found, said in error) == (status, True)


def test_values_that_no_drill_can_be_held_to_are_refused(drill: Path) -> None:
    """A recorded limit is checked as one of a file is."""
    path = drill / RECORDED
    said = json.loads(path.read_text())
    for key, value, words in (("rto_s", -1, "not negative"), ("rto", 3, "did you mean rto_s")):
        path.write_text(json.dumps(said | {"values": said["values"] | {key: value}}))
        with pytest.raises(UnusableInput, match=words):
            RecordedObjectives.load(drill)
