"""Several runs of one scenario judged together: what they show, what they do not, and never more for leaving some out."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.__main__ import main
from drill.evidence import Judgement, judge
from drill.objective import Verdict
from drill.reliability import at_least, at_most
from drill.repetition import directory_name, judge_repetitions, scenario_and_repetition
from tests.drill.scripted import LIMITS, history, without

DEMANDING = dataclasses.replace(LIMITS, reliability=0.95, confidence=0.95)
ORDER = [Verdict.MET, Verdict.UNPROVEN, Verdict.MISSED]


@cache
def run(kind: str) -> Judgement:
    """One judged drill: met after 4 s, met later, never back, or without its survivors or baseline."""
    whole = {
        "met": lambda: history(),
        "slower": lambda: history(down_s=6.0),
        "lossy": lambda: history(lost=3),
        "never": lambda: history(down_s=12.0),
        "unproven": lambda: without(history(), "drill.baseline"),
        "unmeasured": lambda: without(history(), "fault.begin", "fault.effective"),
    }[kind]()
    return judge(whole, LIMITS)


def numbered(*kinds: str) -> dict[int, Judgement]:
    """Those drills as repetitions 1, 2, ..."""
    return {n: run(kind) for n, kind in enumerate(kinds, start=1)}


def test_the_kinds_of_run_are_what_they_say() -> None:
    """The histories below really have the verdicts that these tests are about."""
    verdicts = {kind: str(run(kind).verdict) for kind in ("met", "slower", "lossy", "never", "unproven", "unmeasured")}
    assert verdicts == {
        "met": "MET", "slower": "MET", "lossy": "MISSED", "never": "MISSED", "unproven": "UNPROVEN",
        "unmeasured": "UNPROVEN",
    }  # fmt: skip


def test_each_run_the_median_and_the_worst_are_told() -> None:
    """Three runs of 4, 4 and 6 s: median 4, worst 6, each with bounds that hold its runs' own."""
    found = judge_repetitions("x", numbered("met", "slower", "met"), LIMITS)
    middle, worst = found.measurements["rto_median_s"], found.measurements["rto_worst_s"]
    assert middle.value == run("met").measurements["rto_s"].value
    assert (worst.value, worst.lower, worst.upper) == (
        run("slower").measurements["rto_s"].value,
        run("slower").measurements["rto_s"].lower,
        run("slower").measurements["rto_s"].upper,
    )
    assert [r["rto_s"] for r in found.to_json()["runs"]] == [
        run(k).measurements["rto_s"].value for k in ("met", "slower", "met")
    ]
    assert (found.verdict, found.reasons) == (Verdict.MET, ())


def test_five_flawless_runs_show_little_and_say_how_many_would_do() -> None:
    """5 of 5 show 54.9 % at 95 %; 59 would show 95 %: reported, and judged only where it is demanded."""
    reported = judge_repetitions("x", numbered(*["met"] * 5), LIMITS).measurements
    assert reported["reliability"].value == 1.0
    assert reported["reliability"].lower == pytest.approx(0.5493, abs=1e-4)
    assert reported["reliability"].verdict is None
    assert reported["runs_needed"].value == 59
    assert "with 0.95 confidence at least 54.9 % do" in reported["reliability"].because
    demanded = judge_repetitions("x", numbered(*["met"] * 5), DEMANDING)
    assert demanded.verdict is Verdict.UNPROVEN
    assert "59 flawless runs are needed to show 95 %" in demanded.reasons[0]


@pytest.mark.parametrize(
    ("met", "never", "unproven", "verdict"),
    [
        (59, 0, 0, Verdict.MET),
        (58, 0, 0, Verdict.UNPROVEN),
        (59, 0, 1, Verdict.UNPROVEN),
        (92, 1, 0, Verdict.MET),
        (91, 1, 0, Verdict.UNPROVEN),
        (0, 2, 0, Verdict.MISSED),
        (10, 4, 0, Verdict.MISSED),
        (0, 0, 7, Verdict.UNPROVEN),
    ],
)
def test_95_at_95_is_met_missed_or_unproven(met: int, never: int, unproven: int, verdict: Verdict) -> None:
    """59 flawless runs or 92 of 93 suffice, one fewer does not; what cannot be 95 % any more is missed."""
    runs = numbered(*["met"] * met, *["never"] * never, *["unproven"] * unproven)
    assert judge_repetitions("x", runs, DEMANDING).verdict is verdict


def test_a_run_that_lost_data_met_its_recovery_time_all_the_same() -> None:
    """Reliability is of the recovery; the loss is judged in the run itself, and makes the set MISSED where none is demanded."""
    found = judge_repetitions("x", numbered("met", "lossy"), LIMITS)
    assert found.measurements["reliability"].value == 1.0
    assert found.verdict is Verdict.MISSED
    assert found.reasons[0].startswith("run 2: lost_writes 3")


def test_a_run_without_a_figure_is_the_worst_there_can_be() -> None:
    """Median of met, met, unmeasured is known; the worst is not bounded; of nothing measured nothing is said."""
    found = judge_repetitions("x", numbered("met", "met", "unmeasured"), LIMITS).measurements
    assert found["rto_median_s"].value == run("met").measurements["rto_s"].value
    assert found["rto_worst_s"].value == math.inf
    assert "1 of them without a figure" in found["rto_worst_s"].because
    assert judge_repetitions("x", numbered("unmeasured"), LIMITS).measurements["rto_median_s"].value is None


def test_runs_that_were_asked_for_and_not_recorded_count_as_unproven() -> None:
    """59 flawless runs of 60 asked for show no more than 59 of 60; a gap in the numbers was a run as well."""
    assert judge_repetitions("x", numbered(*["met"] * 59), DEMANDING, requested=60).verdict is Verdict.UNPROVEN
    runs = {n: run("met") for n in range(1, 61) if n != 30}
    found = judge_repetitions("x", runs, DEMANDING)
    assert (found.requested, found.verdict) == (60, Verdict.UNPROVEN)
    assert "1 unproven or not recorded" in found.measurements["reliability"].because


kinds = st.lists(st.sampled_from(["met", "never", "unproven", "lossy"]), min_size=1, max_size=70)


def bounds(those: Sequence[str], requested: int = 0) -> tuple[float, float, Verdict]:
    """(lower, upper, verdict) of the reliability of these runs."""
    found = judge_repetitions("x", numbered(*those), dataclasses.replace(DEMANDING, reliability=0.8), requested)
    one = found.measurements["reliability"]
    assert one.lower is not None
    assert one.upper is not None
    return one.lower, one.upper, found.verdict


@given(kinds, st.data())
def test_one_worse_run_is_never_better(those: list[str], data: st.DataObject) -> None:
    """A met run turned unproven or missed, or an unproven one missed, never improves bounds or verdict."""
    better = data.draw(st.integers(0, len(those) - 1))
    worse = {"met": ["unproven", "never"], "lossy": ["unproven", "never"], "unproven": ["never"], "never": ["never"]}
    less = [*those]
    less[better] = data.draw(st.sampled_from(worse[those[better]]))
    before, after = bounds(those), bounds(less)
    assert after[0] <= before[0]
    assert after[1] <= before[1] or less[better] == "unproven"
    assert ORDER.index(after[2]) >= ORDER.index(before[2])


@given(kinds, st.data())
def test_leaving_a_run_out_is_never_better(those: list[str], data: st.DataObject) -> None:
    """A recorded run whose directory is taken away counts as unproven: the lower bound does not rise, nothing becomes MET."""
    gone = data.draw(st.integers(1, len(those)))
    runs = {n: j for n, j in numbered(*those).items() if n != gone}
    objectives = dataclasses.replace(DEMANDING, reliability=0.8)
    before = judge_repetitions("x", numbered(*those), objectives, len(those))
    after = judge_repetitions("x", runs, objectives, len(those))
    assert (after.measurements["reliability"].lower or 0) <= (before.measurements["reliability"].lower or 0)
    assert after.verdict is not Verdict.MET or before.verdict is Verdict.MET


@given(kinds)
def test_the_bounds_are_those_of_the_counts(those: list[str]) -> None:
    """Unproven runs count against the lower bound and for the upper one."""
    lower, upper, _ = bounds(those)
    met, missed = sum(k in ("met", "lossy") for k in those), those.count("never")
    assert lower == at_least(met, len(those), 0.95)
    assert upper == at_most(len(those) - missed, len(those), 0.95)


@pytest.mark.parametrize("name", ["primary_region_lost", "x-us-east-1", "x-01", "x-002", "x-a-017"])
@pytest.mark.parametrize("repetition", [1, 2, 12, 999, 1000])
def test_a_directory_s_name_tells_scenario_and_repetition(name: str, repetition: int) -> None:
    """There and back again; a scenario that itself ends like a repetition cannot be taken for one."""
    directory = directory_name(name, repetition)
    told = scenario_and_repetition(directory)
    assert told == (directory_name(name, 1), repetition)


def test_a_stored_run_is_judged_together_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`drill judge RUN` of three repetitions: each with the scenario's own objectives, then the set; exit status 1."""
    tables = {k: v for k, v in dataclasses.asdict(LIMITS).items() if v is not None}
    objectives = {"default": tables | {"lost_writes": 99}, "scenario": {"x": {"lost_writes": 0, "reliability": 0.9}}}
    options = {"target": "embedded", "pace": 10.0, "objectives": objectives, "options": {"repeat": 3}}
    (tmp_path / "run.json").write_text(json.dumps(options))
    for directory, lost in (("x", 0), ("x-002", 0), ("x-003", 2), ("other", 0), ("other-002", 0), ("other-003", 0)):
        history(lost=lost).save(tmp_path / "scenarios" / directory)
    assert main(["judge", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(v["scenario"], v.get("repetition"), v.get("repetitions"), v["verdict"]) for v in found] == [
        ("other", None, None, "MET"), ("other", 2, None, "MET"), ("other", 3, None, "MET"),
        ("x", None, None, "MET"), ("x", 2, None, "MET"), ("x", 3, None, "MISSED"),
        ("other", None, 3, "MET"), ("x", None, 3, "UNPROVEN"),
    ]  # fmt: skip
    assert found[-1]["measurements"]["reliability"]["objective"] == 0.9
    assert found[-1]["target"] == "embedded"
    assert main(["judge", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "x: UNPROVEN 3 runs together" in shown
    assert ">= 0.900" in shown


def test_one_run_does_not_meet_a_demanded_reliability(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A single MET drill whose objectives demand 95 % is no proof of it."""
    tables = {k: v for k, v in dataclasses.asdict(DEMANDING).items() if v is not None}
    (tmp_path / "run.json").write_text(json.dumps({"target": "embedded", "objectives": {"default": tables}}))
    history().save(tmp_path / "scenarios" / "x")
    assert main(["judge", str(tmp_path), "--json"]) == 1
    assert [v["verdict"] for v in json.loads(capsys.readouterr().out)] == ["MET", "UNPROVEN"]
