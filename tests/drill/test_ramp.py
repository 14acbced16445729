"""A load that is meant to grow or shrink: every request's time is known, and only what is missing from it counts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.evidence import judge
from drill.history import NS, History, Mark
from drill.measure.unrecorded import due, due_ns, passed
from drill.objective import Verdict
from drill.schedule import EVENT, Leg, Schedule
from tests.drill.scripted import LIMITS, Script, altered, history

DOWN = (Leg(7.0, 200.0, 200.0), Leg(6.0, 200.0, 30.0))
UP = (Leg(4.0, 0.0, 50.0),)


@dataclass(frozen=True, slots=True)
class Ramped(Script):
    """A script whose requests are due by a ramp that ends in 30 a second."""

    ramp: tuple[Leg, ...] = DOWN

    @property
    def due_s(self) -> npt.NDArray[np.float64]:
        """When each request is due."""
        return due(Schedule("all", 0, 30.0, 0.0, self.ramp), 0, round(self.end_s * NS)) / NS


def told(script: Ramped) -> tuple[Mark, ...]:
    """The marks of its schedule: two writes of three requests and a read, each a third of the rate."""
    ramp = tuple(Leg(g.lasts_s, g.from_per_s / 3, g.to_per_s / 3) for g in script.ramp)
    kinds = (("write", 0.0), ("write", 1 / 3), ("read", 2 / 3))
    return tuple(Mark(0, EVENT, op, Schedule(op, 0, 10.0, phase, ramp).detail()) for op, phase in kinds)


def ramped(script: Ramped, marked: bool = True) -> History:
    """Its history, with or without the schedule."""
    whole = history(script)
    return altered(whole, marks=(*(whole.marks or ()), *(told(script) if marked else ())))


@pytest.mark.parametrize("ramp", [DOWN, UP, (*UP, *DOWN)])
def test_a_load_that_follows_its_ramp_is_met(ramp: tuple[Leg, ...]) -> None:
    """It shrinks to a sixth during the outage, or grows from nothing, and that is what was meant."""
    found = judge(ramped(Ramped(ramp=ramp)), LIMITS)
    assert found.verdict is Verdict.MET, found.sentence()


def test_the_same_load_without_its_schedule_became_less() -> None:
    """Nobody can know then that it was meant to."""
    found = judge(ramped(Ramped(), marked=False), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "became less" in found.sentence()


@pytest.mark.parametrize("at_s", [2.0, 9.0, 16.0])
def test_a_record_lost_on_a_ramp_is_known_to_be_lost(at_s: float) -> None:
    """Before the fault, while the rate moves, and after it."""
    whole = ramped(Ramped())
    assert whole.ops is not None
    assert whole.survivors is not None
    ops = whole.ops.filter((pl.col("op") == "write") & (pl.col("intended_ns") > at_s * NS)).sort("intended_ns")
    key = next(k for k in ops["key"] if k % 10)
    kept = altered(
        whole, ops=whole.ops.filter(pl.col("key") != key), survivors=whole.survivors.filter(pl.col("key") != key)
    )
    found = judge(kept, LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "1 requests of kind write were due and have no record" in found.sentence()


def test_a_ramp_hides_no_load_that_falls_short_of_it() -> None:
    """Half of what the falling rate still asks for after the outage does not come: said with its real time."""
    whole = ramped(Ramped())
    assert whole.ops is not None
    late = pl.col("intended_ns") > 14 * NS
    found = judge(altered(whole, ops=whole.ops.filter(~late | (pl.col("key") % 3 != 1))), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "became less" in found.sentence()
    assert "of the fault on" in found.sentence()


legs = st.lists(
    st.builds(Leg, st.floats(0.1, 60), st.floats(0, 3000), st.one_of(st.just(0.0), st.floats(0, 3000))), max_size=4
).map(tuple)


@given(st.integers(0, 10**12), st.floats(0.5, 500), st.floats(0, 0.999), legs, st.integers(0, 10**11))
def test_what_is_due_on_a_ramp_is_what_the_generator_sends(
    begin: int, rate: float, phase: float, ramp: tuple[Leg, ...], after: int
) -> None:
    """The vectorised times are those that a dispatcher counts out, in order, and as many as the rate makes."""
    schedule = Schedule("write", begin, rate, phase, ramp)
    assert Schedule.read(schedule.detail()) == schedule
    from_ns, to_ns = begin + after, begin + after + 10**8
    found = due(schedule, from_ns, to_ns).tolist()
    first = max(0, int(passed(schedule, np.array([float(from_ns)]))[0]) - 3)
    numbers = range(first, first + len(found) + 8)
    counted = [int(schedule.due_ns(n)) for n in numbers]
    assert counted == sorted(counted)
    assert counted == due_ns(schedule, np.array(numbers)).astype(np.int64).tolist()
    assert found == [at for at in counted if from_ns <= at < to_ns]


@pytest.mark.parametrize(
    "detail",
    [
        '{"op":"write","begin_ns":0,"per_s":1,"ramp":[{"lasts_s":0,"from_per_s":1,"to_per_s":1}]}',
        '{"op":"write","begin_ns":0,"per_s":1,"ramp":[{"lasts_s":1,"from_per_s":-1,"to_per_s":1}]}',
        '{"op":"write","begin_ns":0,"per_s":1,"ramp":[[1,1,1]]}',
    ],
)
def test_a_ramp_that_cannot_be_proves_nothing(detail: str) -> None:
    """What was intended is not known then."""
    whole = history()
    found = judge(altered(whole, marks=(*(whole.marks or ()), Mark(0, EVENT, "write", detail))), LIMITS)
    assert "the schedule of write cannot be read" in found.sentence()


def test_a_ramp_changes_nothing_of_the_load_after_it() -> None:
    """From its end on requests are due at even distances of the final rate."""
    schedule = Schedule("write", 0, 100.0, 0.0, UP)
    times = due(schedule, 4 * NS, 6 * NS)
    assert times.size == 200
    assert set(np.diff(times)) <= {NS // 100 - 1, NS // 100, NS // 100 + 1}
    assert dataclasses.replace(Ramped(), ramp=()).due_s[1] == pytest.approx(1 / 30)
