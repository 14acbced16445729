"""A scenario is the same value in Python and in TOML, and whatever is wrong with its file is said in a sentence."""

from __future__ import annotations

import datetime as dt
import importlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.demands import Demand, What
from drill.evidence import Judgement
from drill.objective import Verdict
from drill.unusable import UnusableInput
from gameday.scenario import Range, Scenario, Settings
from infra_fixtures.faults.described import Described
from infra_fixtures.faults.nothing import Nothing
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.schedule import Scheduled
from infra_fixtures.targets.parts import BreakPart, DatabasePart
from infra_fixtures.targets.world import World

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(p.stem.removeprefix("test_") for p in SCENARIOS.glob("test_*.py"))
SECONDS = st.floats(0.1, 100)
NOON = dt.datetime(2100, 1, 1, 12, tzinfo=dt.UTC)
RANGES = st.builds(Range, SECONDS) | st.builds(Range, st.none(), SECONDS)
SETTINGS = st.builds(
    Settings,
    moved_to=st.none() | st.sampled_from(["standby", "us-west-2"]),
    impact=st.booleans(),
    expect=st.sampled_from(Verdict),
    expect_because=st.sampled_from(["", "felt", 'a "quoted" word']),
    baseline_s=SECONDS,
    cohorts=st.sampled_from([{}, {"follower": 1.0}]),
    figures=st.dictionaries(st.sampled_from(["rto_s", "rpo_s"]), RANGES),
    stop=st.sampled_from([(), ({"kind": "until", "at": NOON}, {"kind": "failed", "above": 0.5, "for_s": 300})]),
)


@pytest.mark.parametrize("name", NAMES)
def test_each_scenario_is_the_same_in_toml(name: str) -> None:
    """The file beside it and what it writes of itself both read as the value in Python."""
    scenario = importlib.import_module(f"scenarios.test_{name}").SCENARIO
    assert Scenario.read(SCENARIOS / "schedules" / f"{name}.toml") == scenario
    assert Scenario.from_toml(scenario.to_toml(), source="itself") == scenario


@given(SETTINGS)
def test_settings_are_the_same_after_toml(settings: Settings) -> None:
    """Every setting survives being written and read."""
    scenario = Scenario(Scenario.of(Nothing(), Scheduled(RegionLost(), at_s=1.5)).faults, settings)
    assert Scenario.from_toml(scenario.to_toml(), source="itself") == scenario


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("faults = 1", "[[faults]] are tables"),
        ("moved_to = 'standby'", "[[faults]] are tables"),
        ("= 1", "s.toml is not TOML"),
        ("moved = 'x'\n[[faults]]\nfault = 'nothing'", "unknown field `moved`"),
        ("expect = 'FINE'\n[[faults]]\nfault = 'nothing'", "Invalid enum value 'FINE'"),
        ("figures.rto_s = { under = 1 }\n[[faults]]\nfault = 'nothing'", "unknown field `under`"),
        ("baseline_s = -5\n[[faults]]\nfault = 'nothing'", "baseline_s is -5"),
        ("feel_s = inf\n[[faults]]\nfault = 'nothing'", "feel_s is inf"),
        ("cohorts = { fast = 1 }\n[[faults]]\nfault = 'nothing'", "unknown cohort fast"),
        ("moved_to = 'standby'\nstayed_at = 'primary'\n[[faults]]\nfault = 'nothing'", "contradict each other"),
        ("figures.rto_s = { least = 2, most = 1 }\n[[faults]]\nfault = 'nothing'", "are no range"),
        ("[[faults]]\nfault = 'nothing'\nat_s = 1e300", "at_s = 1e+300"),
        ("[[stop]]\nkind = 'bell'\n[[faults]]\nfault = 'nothing'", "bell"),
        ("[[faults]]\nfault = 'region_gone'", "there is no fault region_gone: did you mean region_lost?"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """What is wrong, and in which file."""
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(UnusableInput) as refused:
        Scenario.read(path)
    assert sentence in str(refused.value)
    assert "s.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And so is one that is no text."""
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    for path, sentence in (
        (tmp_path / "none.toml", "it is not there"),
        (tmp_path, "is a directory"),
        (tmp_path / "fifo.toml", "is a FIFO"),
        (Path("/dev/zero"), "is a device"),
        (tmp_path / "deep.toml", "is not TOML"),
    ):
        with pytest.raises(UnusableInput, match=sentence):
            Scenario.read(path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UnusableInput, match="cannot be read"):
        Scenario.read(tmp_path / "bytes.toml")


def test_demands_name_the_regions_of_the_world() -> None:
    """Standby and primary are roles, which a world gives names to."""
    world = _world(DatabasePart("global", {}))
    plan = Scenario.of(Nothing(), moved_to="standby").plan(world)
    assert plan.demands == (Demand(What.SERVED_BY, "us-west-2"), Demand(What.PROMOTED, "us-west-2"))
    assert Scenario.of(Nothing(), stayed_at="primary").plan(world).demands[0].region == "us-east-1"


def test_a_description_says_who_must_have_taken_over() -> None:
    """Where what is described is played, and where the scenario says nothing itself; no promotion is seen without a database."""
    world = _world(BreakPart(({"fault": "nothing"},), "us-west-2"))
    assert Scenario.of(Described()).plan(world).demands == (Demand(What.SERVED_BY, "us-west-2"),)
    assert Scenario.of(Nothing()).plan(world).demands == ()
    assert Scenario.of(Described(), stayed_at="primary").plan(world).demands[0].what == What.ONLY_SERVED_BY
    assert Scenario.of(Described()).plan(_world(BreakPart(({"fault": "nothing"},)))).demands == ()


def _world(*parts: object) -> World:
    """One that has only these parts."""
    had = {type(part): part for part in parts}
    return cast(World, SimpleNamespace(primary="us-east-1", standby="us-west-2", part=had.get))


@pytest.mark.parametrize(
    ("value", "holds"), [(3.0, True), (2.9, True), (3.3, True), (2.8, False), (3.4, False), (None, False)]
)
def test_a_figure_must_lie_within_its_range(value: float | None, holds: bool) -> None:
    """The edges belong to it; what is not known lies nowhere."""
    assert Range(2.9, 3.3).holds(value) is holds


def test_a_figure_that_was_not_measured_fails(judged: Judgement) -> None:
    """A figure that a scenario names must be there: its absence is no evidence."""
    scenario = Scenario.of(Nothing(), figures={"never_measured": Range(least=1)})
    with pytest.raises(AssertionError, match=r"never_measured is None.*it was not measured"):
        scenario.check_figures(judged)
    Scenario.of(Nothing(), figures={"rto_s": Range(least=0)}).check_figures(judged)
    with pytest.raises(AssertionError, match=r"rto_s is .*, and must be within \[None, -1.0\]"):
        Scenario.of(Nothing(), figures={"rto_s": Range(most=-1.0)}).check_figures(judged)


@pytest.fixture
def judged() -> Judgement:
    """A judgement with one figure."""
    figure = SimpleNamespace(value=7.5, because="as counted")
    return cast(Judgement, cast(Any, SimpleNamespace(measurements={"rto_s": figure})))


def test_a_scenario_prints_what_it_is() -> None:
    """A reader of a log sees fault and parameters."""
    assert "RegionLost(region='primary')" in repr(Scenario.of(RegionLost()))
