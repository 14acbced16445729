"""A miss that the harness may have caused itself is no miss; one that it cannot have caused stays one."""

from __future__ import annotations

import polars as pl
import pytest

from drill.evidence import judge
from drill.history import NS, History, Mark, Sample
from drill.objective import Verdict
from drill.proof import Figures, kind_of
from tests.drill.scripted import LIMITS, Script, altered, history, samples_of


def marked(whole: History, *marks: Mark) -> History:
    """The history with further marks."""
    return altered(whole, marks=(*(whole.marks or ()), *marks))


def sampled(whole: History, *samples: Sample) -> History:
    """The history with further samples."""
    return altered(whole, samples=History.of(samples=[*samples_of(Script()), *samples]).samples)


NEVER_BACK = history(down_s=12.0)
DEATHS = {
    "process.died": Mark(9 * NS, "process.died", "us-west-2/aurora", "killed by SIGKILL"),
    "probe.died": Mark(9 * NS, "probe.died", "traffic", "Locust was killed by SIGKILL"),
}


def test_never_back_is_missed_while_all_lives() -> None:
    """The history that the others differ from."""
    assert judge(NEVER_BACK, LIMITS).verdict is Verdict.MISSED


@pytest.mark.parametrize("event", DEATHS)
@pytest.mark.parametrize("whole", [history(), NEVER_BACK, history(lost=9)], ids=["sound", "never back", "lossy"])
def test_no_verdict_survives_a_death(event: str, whole: History) -> None:
    """Neither a pass nor a miss, and the first reason names who died."""
    found = judge(marked(whole, DEATHS[event]), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert DEATHS[event].subject in found.reasons[0]


def test_a_generator_that_fell_behind_is_no_miss_of_the_system() -> None:
    """Requests sent late are answered late: the reason names the load generator."""
    found = judge(sampled(NEVER_BACK, Sample(9 * NS, "dispatch_lag_s", "locust-0", 4.0)), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "load generator fell behind" in found.sentence()
    assert "the harness's own doing" in found.sentence()


def test_a_generator_that_fell_behind_loses_no_data() -> None:
    """What was acknowledged and is gone is gone, however late the load was."""
    late = Sample(9 * NS, "dispatch_lag_s", "locust-0", 4.0)
    found = judge(sampled(history(lost=9), late), LIMITS)
    assert found.measurements["lost_writes"].verdict is Verdict.MISSED
    assert found.verdict is Verdict.MISSED


def test_a_busy_machine_excuses_a_miss_but_spoils_no_pass() -> None:
    """A part that waited for a processor can only make figures worse: met is met, missed is unproven, and it is named."""
    part = "us-west-2/lambda"
    busy = [Sample(9 * NS + k * NS // 2, "cpu_wait_share", part, 0.8) for k in range(2)]
    assert judge(sampled(history(), *busy), LIMITS).verdict is Verdict.MET
    missed = judge(sampled(NEVER_BACK, *busy), LIMITS)
    assert missed.verdict is Verdict.UNPROVEN
    assert "too busy for us-west-2/lambda" in missed.sentence()
    calm = [Sample(9 * NS + k * NS // 2, "cpu_wait_share", part, 1.0 if k == 7 else 0.05) for k in range(20)]
    assert judge(sampled(NEVER_BACK, *calm), LIMITS).verdict is Verdict.MISSED


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("rto_s", Figures.TIMES),
        ("lag_p99_s", Figures.TIMES),
        ("lost_writes", Figures.LOSS),
        ("wrong_content", Figures.LOSS),
        ("lost_after_fault", Figures.ALL),
    ],
)
def test_every_figure_is_of_a_kind(name: str, kind: Figures) -> None:
    """When something happened, what was lost, or both."""
    assert kind_of(name) is kind


def test_requests_given_up_before_their_deadline_are_undecided() -> None:
    """The load ended while they were open: they may yet have been answered in time."""
    whole = history()
    assert whole.ops is not None
    last = pl.col("intended_ns") >= round(19.9 * NS)
    ops = whole.ops.with_columns(
        outcome=pl.when(last).then(pl.lit("unknown")).otherwise("outcome"),
        error=pl.when(last).then(pl.lit("stopped")).otherwise("error"),
    )
    found = judge(altered(whole, ops=ops), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "given up before their deadline" in found.sentence()
