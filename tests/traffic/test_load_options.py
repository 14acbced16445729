"""Load is options: what is given replaces the scenario's own, and a mistake is one sentence that begins with the flag."""

from __future__ import annotations

import argparse
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from traffic.load import Load, RampPoint
from traffic.load_options import LoadOptions, add_load_options

OWN = Load(cohorts={"follower": 0.85, "fresh": 0.15}, seed=1)


def given_by(*arguments: str) -> LoadOptions:
    """What a command line says."""
    parser = argparse.ArgumentParser()
    add_load_options(parser.add_argument)
    parsed = parser.parse_args(list(arguments))
    return LoadOptions.read(lambda name: getattr(parsed, name))


def test_nothing_given_leaves_the_scenario_s_load() -> None:
    """To the last digit."""
    assert given_by().applied(OWN) == OWN
    assert given_by().given() == {}


def test_each_option_changes_what_it_says() -> None:
    """And reads keep their share of a rate that is given."""
    assert given_by("--rate", "100").applied(OWN).orders_per_s == 100
    assert given_by("--rate", "100").applied(OWN).reads_per_s == pytest.approx(10)
    assert given_by("--read-share", "0.5").applied(OWN).reads_per_s == pytest.approx(200)
    assert given_by("--read-share", "0").applied(OWN).reads_per_s == 0
    assert given_by("--cohorts", "follower=0.4, sticky=0.6").applied(OWN).cohorts == {"follower": 0.4, "sticky": 0.6}
    assert given_by("--max-in-flight", "7").applied(OWN).most_in_flight == 7
    ramped = given_by("--ramp", "50@0,150@10").applied(OWN)
    assert ramped.ramp == (RampPoint(50, 0), RampPoint(150, 10))
    assert [ramped.orders_per_s, ramped.reads_per_s] == pytest.approx([150, 15])
    assert given_by("--rate", "9").given() == {"load_rate": 9.0}


def test_a_cap_cuts_the_rate_and_the_top_of_a_ramp() -> None:
    """Reads count, and the ramp has a point where it meets the cap."""
    capped = given_by("--max-rate", "110").applied(OWN)
    assert [capped.orders_per_s, capped.reads_per_s] == pytest.approx([100, 10])
    ramped = given_by("--ramp", "0@0,200@10,50@20", "--read-share", "0", "--max-rate", "100").applied(OWN)
    assert [(p.per_s, p.at_s) for p in ramped.ramp] == [
        (0, 0),
        (100, 5),
        (100, 10),
        (100, pytest.approx(10 + 100 / 15)),
        (50, 20),
    ]
    assert given_by("--max-rate", "5000").applied(OWN) == OWN


points = st.lists(st.tuples(st.floats(0, 900), st.floats(0, 60)), min_size=1, max_size=5)


@given(points, st.floats(1, 900), st.floats(0, 60))
def test_no_instant_of_a_capped_ramp_exceeds_the_cap(shape: list[tuple[float, float]], most: float, at: float) -> None:
    """And it is the ramp itself wherever that is lower."""
    times = sorted(at_s for _, at_s in shape)
    text = ",".join(f"{rate}@{at_s}" for (rate, _), at_s in zip([*shape[:-1], (7.0, 0.0)], times, strict=True))
    plain = given_by("--ramp", text, "--read-share", "0").applied(OWN)
    capped = given_by("--ramp", text, "--read-share", "0", "--max-rate", str(most)).applied(OWN)
    if at not in times:
        assert rate_at(capped, at) == pytest.approx(min(rate_at(plain, at), most), rel=1e-6, abs=1e-3)


def rate_at(load: Load, at_s: float) -> float:
    """The rate of writes at an instant."""
    began = 0.0
    for leg in load.legs():
        if at_s < began + leg.lasts_s:
            return leg.from_per_s + leg.slope * (at_s - began)
        began += leg.lasts_s
    return load.orders_per_s


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--rate", "0"), "--rate 0: give a number above 0"),
        (("--rate", "many"), "--rate many: give a number above 0"),
        (("--rate", "nan"), "--rate nan: give a number above 0"),
        (("--rate", "1e9"), "give a rate above 0 (at most 100000)"),
        (("--read-share", "1"), "--read-share 1: give a number of 0 or more and below 1"),
        (("--ramp", "50"), "--ramp 50: 50 is not RATE@SECOND, such as 50@0,200@10"),
        (("--ramp", "50@0,"), "--ramp 50@0,: nothing is not RATE@SECOND"),
        (("--ramp", "50@5,9@2"), "9@2 after one at 5 s: give points in order of time"),
        (("--ramp", "50@0,0@2"), "give a rate above 0"),
        (("--rate", "5", "--ramp", "5@0"), "--rate and --ramp both say how many writes there are: give one of them"),
        (("--cohorts", "follower"), "--cohorts follower: follower is not NAME=SHARE; give such as"),
        (("--cohorts", "fresh=0.5,fresh=0.5"), "fresh=0.5 is there twice"),
        (("--cohorts", "slow=1"), "unknown cohort slow: known are follower, sticky, fresh"),
        (("--cohorts", "fresh=0.5"), "must each be 0 or more and add up to 1"),
        (("--max-rate", "-1"), "--max-rate -1: give a number above 0"),
        (("--max-in-flight", "0"), "--max-in-flight 0: give a whole number of 1 or more"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    """It says what was given and what to give."""
    with pytest.raises(UnusableInput, match=re.escape(sentence)):
        given_by(*arguments)


def test_pytest_takes_the_same_options(pytestconfig: pytest.Config) -> None:
    """The root conftest adds them with pytest's addoption."""
    get: Any = pytestconfig.getoption
    assert LoadOptions.read(get) == LoadOptions()
