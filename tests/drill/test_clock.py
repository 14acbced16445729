"""Several load generators have clocks of their own: by as much as those may be off, every bracket is wider."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.evidence import judge
from drill.history import NS, History, Sample
from drill.measure import Measurements, measure
from drill.measurement import Measurement
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of

OFF_S = 0.05
FIGURES = {"rto_s": 1, "rto_read_s": 1, "rto_write_s": 1, "rpo_aurora_s": 1, "downtime_s": 2}
"""How many clock readings of a client each figure rests on."""


def off(whole: History, off_s: float) -> History:
    """The same, recorded by workers whose clocks may be off by so much."""
    found = [
        *samples_of(Script()),
        Sample(NS, "clock_offset_s", "locust-0", 0.0),
        Sample(NS, "clock_offset_s", "locust-1", off_s),
    ]
    return altered(whole, samples=History.of(samples=found).samples)


def bracket(found: Measurements, name: str) -> tuple[float, float]:
    """The bounds of a figure that has them."""
    one: Measurement = found[name]
    assert one.lower is not None
    assert one.upper is not None
    return one.lower, one.upper


@pytest.mark.parametrize("name", FIGURES)
def test_brackets_are_wider_by_what_the_clocks_may_be_off(name: str) -> None:
    """On both sides, once for each instant a client told; values stay what they were."""
    whole = history(lost=40)
    exact, blurred = measure(whole, LIMITS), measure(off(whole, OFF_S), LIMITS)
    (a, b), (c, d) = bracket(exact, name), bracket(blurred, name)
    assert c == pytest.approx(max(0.0, a - FIGURES[name] * OFF_S))
    assert d == pytest.approx(b + FIGURES[name] * OFF_S)
    assert exact[name].value == blurred[name].value


@given(st.integers(-20_000_000, 20_000_000), st.sampled_from([0, 5, 30]))
def test_the_truth_lies_in_the_bracket_of_a_clock_that_is_off(wrong_ns: int, lost: int) -> None:
    """All of a client's times shifted by less than it says it may be off: RTO and RPO are still bracketed."""
    whole = history(lost=lost)
    assert whole.ops is not None
    truth = measure(whole, LIMITS)["rpo_aurora_s"].value
    shifted = whole.ops.with_columns(pl.col("intended_ns", "began_ns", "ended_ns") + wrong_ns)
    found = measure(off(altered(whole, ops=shifted), 0.02), LIMITS)
    rto, rpo = bracket(found, "rto_s"), bracket(found, "rpo_aurora_s")
    assert rto[0] <= Script().down_s <= rto[1]
    assert truth is not None
    assert rpo[0] <= truth <= rpo[1]


def test_split_brain_that_may_be_the_clock_s_is_neither_counted_out_nor_proved() -> None:
    """A write sent just before the fault by an uncertain clock, and lost, may have been sent after it: UNPROVEN."""
    whole = history(lost=1)
    limits = dataclasses.replace(LIMITS, lost_writes=None)
    assert judge(whole, limits).verdict is Verdict.MET
    found = judge(off(whole, OFF_S), limits)
    split = found.measurements["lost_after_fault"]
    assert (split.value, split.lower, split.upper, split.verdict) == (0.0, 0, 1, Verdict.UNPROVEN)
    surely = measure(
        off(altered(whole, survivors=whole.survivors.head(300) if whole.survivors is not None else None), OFF_S), limits
    )
    assert bracket(surely, "lost_after_fault")[0] > 0
