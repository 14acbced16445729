"""A history judged, every figure held against its truth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from benchmarks.calibrating.truth import Truth
from drill.evidence import Judgement, judge
from drill.history import History
from drill.objective import Objectives, Verdict

LIMITS = Objectives(
    rto_s=30.0, rpo_s=5.0, lost_after_fault=1000, lag_p99_s=1.0, deadline_s=0.3, settle_s=0.5, window_s=0.5
)
TOLERANCE = 1.5
"""Arrival intervals that a measured RTO may be off."""
JUST_LESS_S = 1e-9
NEAR_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """One script's figures beside their truths; `wrong` says in words what should not be."""

    name: str
    sharp: bool
    intervals: float
    """Error of the RTO in arrival intervals, signed; infinite where only one of both is."""
    luck: int
    bracket_s: float
    downtime_error_s: float
    rpo_error_s: float
    lost: int
    uncovered: tuple[str, ...]
    wrong: tuple[str, ...]


def compare(history: History, truth: Truth) -> Found:
    """Judge and compare."""
    judged = judge(history, LIMITS)
    script = truth.scheduled.script
    intervals = _beyond(judged, "rto_s", truth.rto_s) / truth.interval_s
    wrong = list(_miscounted(judged, truth))
    if script.sharp and abs(intervals) > TOLERANCE + truth.luck:
        wrong.append(
            f"rto_s is off by {intervals:.2f} arrival intervals; requests began up to "
            f"{_late_ms(history, truth):.1f} ms late around the end, so a busy machine "
            f"{'may be' if _late_ms(history, truth) > truth.interval_s * 500 else 'is not'} why"
        )
    uncovered = tuple(
        f"{name} {_word(judged, name)} does not cover {least:.6f} .. {most:.6f}"
        for name, (least, most) in _truths(truth).items()
        if not _covers(judged, name, least, most)
    )
    wrong += uncovered
    if math.isfinite(truth.rto_s[0]) and truth.rto_s[0] > 0:
        strict = dataclasses.replace(LIMITS, rto_s=truth.rto_s[0] - JUST_LESS_S)
        if judge(history, strict).measurements["rto_s"].verdict is Verdict.MET:
            wrong.append("an RTO longer than its objective passes")
    figure = judged.measurements["rto_s"]
    return Found(
        name=script.name,
        sharp=script.sharp,
        intervals=intervals,
        luck=truth.luck,
        bracket_s=0.0 if figure.upper == figure.lower else (figure.upper or 0.0) - (figure.lower or 0.0),
        downtime_error_s=_beyond(judged, "downtime_s", truth.downtime_s),
        rpo_error_s=_beyond(judged, "rpo_aurora_s", truth.rpo_s(truth.lost_rows)),
        lost=len(truth.lost_rows) + len(truth.lost_objects),
        uncovered=uncovered,
        wrong=tuple(wrong),
    )


def _truths(truth: Truth) -> dict[str, tuple[float, float]]:
    """The figures that have a bracket, each with the least and greatest that may be true."""
    return {
        "rto_s": truth.rto_s,
        "downtime_s": truth.downtime_s,
        "rpo_aurora_s": truth.rpo_s(truth.lost_rows),
        "rpo_s3_s": truth.rpo_s(truth.lost_objects),
    }


def _miscounted(judged: Judgement, truth: Truth) -> Iterator[str]:
    exact = {
        "lost_writes": len(truth.lost_rows) + len(truth.lost_objects),
        "lost_rows": len(truth.lost_rows),
        "lost_objects": len(truth.lost_objects),
        "lost_after_fault": truth.lost_after,
        "acked_writes": truth.acked,
        "in_doubt_found": truth.in_doubt_found,
        "phantom_writes": 0,
        "duplicates": 0,
        "refused_found": 0,
    }
    for name, count in exact.items():
        if judged.measurements[name].value != count:
            yield f"{name} is {judged.measurements[name].value}, in truth {count}"
    doubts = judged.measurements["in_doubt_writes"].value
    if doubts is None or doubts < truth.in_doubt or (truth.counts_all_in_doubt and doubts > truth.in_doubt):
        yield f"in_doubt_writes is {doubts}, in truth {truth.in_doubt}"


def _late_ms(history: History, truth: Truth) -> float:
    """How late the load generator began requests within a tenth of a second of the end."""
    if history.ops is None or truth.back is None:
        return 0.0
    back_ns = truth.back[1] - truth.scheduled.start_ns
    near = history.ops.filter(pl.col("intended_ns").is_between(back_ns - NEAR_NS, back_ns + NEAR_NS))
    late = (near["began_ns"] - near["intended_ns"]).max()
    return float(late) / 1e6 if isinstance(late, int) else 0.0


def _covers(judged: Judgement, name: str, least: float, most: float) -> bool:
    figure = judged.measurements[name]
    if figure.lower is None or figure.upper is None:
        return False
    return figure.lower <= most and figure.upper >= least


def _beyond(judged: Judgement, name: str, truth: tuple[float, float]) -> float:
    """How far a figure lies outside its truth, in seconds, signed."""
    value = judged.measurements[name].value
    if value is None:
        return math.nan
    if value == truth[1]:  # both may be infinite
        return 0.0
    return value - truth[1] if value > truth[1] else min(0.0, value - truth[0])


def _word(judged: Judgement, name: str) -> str:
    figure = judged.measurements[name]
    return f"[{figure.lower}, {figure.upper}]"
