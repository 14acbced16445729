"""Objectives: what a file may say, and what judging a bracket gives."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from drill.measurement import Measurement
from drill.objective import Floor, Objective, Objectives, Verdict, objective_tables, resolve_objectives
from drill.recorded_objectives import RecordedObjectives
from drill.unusable import UnusableInput


def figure(value: float | None, lower: float | None = None, upper: float | None = None) -> Measurement:
    """A recovery time."""
    return Measurement("rto_s", value, lower, upper, "s", "")


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (figure(3, 2, 5), Verdict.MET),
        (figure(3, 2, 5.1), Verdict.UNPROVEN),
        (figure(6, 5, 7), Verdict.UNPROVEN),
        (figure(6, 5.1, 7), Verdict.MISSED),
        (figure(3), Verdict.MET),
        (figure(6), Verdict.MISSED),
        (figure(math.inf, 2, math.inf), Verdict.UNPROVEN),
        (figure(math.inf, 5.1, math.inf), Verdict.MISSED),
        (figure(math.inf), Verdict.MISSED),
        (figure(3, 2, math.inf), Verdict.UNPROVEN),
        (figure(None), Verdict.UNPROVEN),
        (figure(math.nan), Verdict.UNPROVEN),
        (figure(3, math.nan, 5), Verdict.UNPROVEN),
        (figure(3, 2, math.nan), Verdict.UNPROVEN),
        (figure(6, 5.5, math.nan), Verdict.UNPROVEN),
    ],
)
def test_the_whole_bracket_decides(measured: Measurement, verdict: Verdict) -> None:
    """MET if all of the bracket holds, MISSED if none of it does, UNPROVEN in between or not seen for long enough."""
    assert Objective("rto_s", 5.0).judge(measured) is verdict


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (figure(0.97, 0.95, 0.99), Verdict.MET),
        (figure(0.97, 0.949, 0.99), Verdict.UNPROVEN),
        (figure(0.90, 0.80, 0.95), Verdict.UNPROVEN),
        (figure(0.90, 0.80, 0.949), Verdict.MISSED),
        (figure(None), Verdict.UNPROVEN),
        (figure(0.97, math.nan, 0.99), Verdict.UNPROVEN),
    ],
)
def test_a_floor_is_an_objective_upside_down(measured: Measurement, verdict: Verdict) -> None:
    """MET if even the lower bound reaches it, MISSED if not even the upper one does, UNPROVEN in between."""
    assert Floor("reliability", 0.95).judge(measured) is verdict


def test_the_worst_verdict_wins() -> None:
    """MISSED beats UNPROVEN beats MET; no verdict at all proves nothing."""
    assert Verdict.worst([Verdict.MET, Verdict.UNPROVEN, Verdict.MISSED]) is Verdict.MISSED
    assert Verdict.worst([Verdict.MET, Verdict.UNPROVEN]) is Verdict.UNPROVEN
    assert Verdict.worst([Verdict.MET]) is Verdict.MET
    assert Verdict.worst([]) is Verdict.UNPROVEN


def test_later_tables_override(tmp_path: Path) -> None:
    """The scenario's table overrides the target's, which overrides the default's; others do not matter."""
    path = tmp_path / "o.toml"
    path.write_text(
        "[default]\nrto_s = 100\nrpo_s = 7\nlag_p99_s = 2\n[target.embedded]\nrto_s = 30\nrpo_s = 1\n"
        "[target.aws]\nrto_s = 1\n[scenario.one]\nrpo_s = 5\nlost_writes = 0\n[scenario.two]\nrpo_s = 0\n"
    )
    tables = objective_tables(path)
    found = resolve_objectives(tables, "embedded", "one", source=str(path))
    assert (found.rto_s, found.rpo_s, found.lag_p99_s, found.lost_writes) == (30.0, 5.0, 2.0, 0.0)
    assert resolve_objectives(tables, "attach", "", source=str(path)).rto_s == 100.0


def test_the_repository_s_own_file_is_usable() -> None:
    """objectives.toml resolves for every target, and its scenarios exist."""
    root = Path(__file__).parents[2]
    tables = objective_tables(root / "objectives.toml")
    for target in ("embedded", "localstack", "aws", "attach"):
        assert resolve_objectives(tables, target, "", source="objectives.toml").availability == 0.99
    for scenario in tables["scenario"]:
        assert (root / "scenarios" / f"test_{scenario}.py").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default]\nrto = 5\n", "did you mean rto_s"),
        ("[default]\nnonsense = 5\n", "known are rto_s"),
        ("[defaults]\nrto_s = 5\n", "did you mean default"),
        ("rto_s = 5\n", "unknown table [rto_s]"),
        ("default = 5\n", "must be a table"),
        ("[target]\nembedded = 5\n", "[target.embedded] must be a table"),
        ("[target.embedded]\nrto_s = '5'\n", "is '5', which is no number"),
        ("[scenario.x]\nrto_s = true\n", "is True, which is no number"),
        ("[default]\nrto_s = -1\n", "not negative"),
        ("[default]\nrto_s = nan\n", "finite"),
        ("[default]\nrto_s = inf\n", "finite"),
        ("[default]\navailability = 0\n", "above 0 and at most 1"),
        ("[default]\navailability = 99\n", "above 0 and at most 1"),
        ("[default]\nreliability = 1\n", "above 0 and below 1, such as 0.95"),
        ("[default]\nreliability = 95\n", "above 0 and below 1, such as 0.95"),
        ("[default]\nconfidence = 0.4\n", "at least 0.5 and below 1, such as 0.95"),
        ("[default]\nwindow_s = 0\n", "seconds above 0"),
        ("[default]\ndeadline_s = 0\n", "seconds above 0"),
        ("[default\nrto_s = 5\n", "is not TOML"),
        ("[default]\nrto_s = 5\nrto_s = 6\n", "is not TOML"),
    ],
)
def test_nonsense_is_named_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """The sentence names the file and what is wrong, whichever table it stands in."""
    path = tmp_path / "o.toml"
    path.write_text(text)
    with pytest.raises(UnusableInput) as caught:
        objective_tables(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    """Missing, a directory, or bytes that are no text: each is said, none crashes."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for name, said in (("none.toml", "objectives file"), (".", "is a directory"), ("bytes.toml", "objectives file")):
        with pytest.raises(UnusableInput, match=said):
            objective_tables(tmp_path / name)


def test_the_allowance_is_what_availability_leaves() -> None:
    """99 % good leaves 1 % that may fail."""
    assert Objectives(availability=0.99).allowance == pytest.approx(0.01)
    assert Objectives(availability=1.0).allowance == 0.0


def test_a_limit_that_need_not_be_judged_can_be_switched_off(tmp_path: Path) -> None:
    """By a word in a table above a stricter one; what must be judged cannot be switched off so."""
    path = tmp_path / "objectives.toml"
    path.write_text('[default]\nlag_p99_s = 2\n[target.attach]\nlag_p99_s = "none"\n')
    tables = objective_tables(path)
    assert resolve_objectives(tables, "attach", "any", source="it").lag_p99_s is None
    assert resolve_objectives(tables, "embedded", "any", source="it").lag_p99_s == 2
    recorded = RecordedObjectives.of_tables(tables, "attach", "any", file="it")
    recorded.write(tmp_path)
    assert RecordedObjectives.load(tmp_path) == recorded
    assert "said not to be judged: lag_p99_s" in recorded.sentence()
    path.write_text('[default]\nrpo_s = "none"\n')
    with pytest.raises(UnusableInput, match="rpo_s is 'none', which is no number"):
        objective_tables(path)
