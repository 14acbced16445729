"""What one drill leaves behind: every figure judged against its objective, and the verdict of the whole.

`judge` needs nothing but the raw records and the objectives, so anyone can repeat it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.history import History
from drill.measure import CohortFigure, Measurements, Phase, measure
from drill.measurement import Measurement
from drill.objective import Objective, Objectives, Verdict
from drill.proof import Doubt, doubts, kind_of

JUDGE_VERSION = 1
"""Raised whenever a measure comes to mean something else, so that another figure for the same records is explained. A
verdict.json that does not say it is of version 1."""

NEVER = ("duplicates", "wrong_content", "early_acks")
"""Figures that must be 0 whatever the objectives say."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A measurement with its limit and verdict; both None where it is reported, not judged."""

    measurement: Measurement
    limit: float | None
    verdict: Verdict | None

    @property
    def value(self) -> float | None:
        """The measurement's."""
        return self.measurement.value

    @property
    def lower(self) -> float | None:
        """The measurement's."""
        return self.measurement.lower

    @property
    def upper(self) -> float | None:
        """The measurement's."""
        return self.measurement.upper

    @property
    def unit(self) -> str:
        """The measurement's."""
        return self.measurement.unit

    @property
    def because(self) -> str:
        """The measurement's."""
        return self.measurement.because


@dataclass(frozen=True, slots=True)
class JudgedCohort:
    """One cohort of clients, its recovery judged as that of the whole."""

    cohort: str
    requests: int
    failed: int
    rto: Judged


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and all it rests on; `reasons` say why a verdict is not MET, the decisive one first.

    `doubts`: what is missing in the proof.
    """

    verdict: Verdict
    measurements: Mapping[str, Judged]
    reasons: tuple[str, ...]
    waterfall: tuple[Phase, ...]
    cohorts: tuple[JudgedCohort, ...]
    doubts: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The verdict and why, in one sentence."""
        if self.verdict is not Verdict.MET:
            return f"{self.verdict}: {'; '.join(self.reasons)}"
        figures = [f"{n} {_number(j.value)} <= {_number(j.limit)}" for n, j in self.measurements.items() if j.verdict]
        return f"{self.verdict}: {', '.join(figures)}"

    def to_json(self, **context: Any) -> dict[str, Any]:
        """verdict.json of the contract; `context` is scenario, target, pace, what is expected, the objectives.

        JSON has no infinity: an infinite figure is null, and its lower bound and its `because` say so. An infinite
        upper bound is null as well, with a finite value: it cannot be told how much worse it is.
        """
        return {
            **context,
            "judge_version": JUDGE_VERSION,
            "verdict": str(self.verdict),
            "reasons": list(self.reasons),
            "doubts": list(self.doubts),
            "measurements": {name: figure_json(j) for name, j in self.measurements.items()},
            "waterfall": [
                {"phase": p.phase, "from_s": p.from_s, "to_s": p.to_s, "note": p.note} for p in self.waterfall
            ],
            "cohorts": {
                c.cohort: {"requests": c.requests, "failed": c.failed, "rto_s": figure_json(c.rto)}
                for c in self.cohorts
            },
        }

    def write(self, path: Path, **context: Any) -> None:
        """Write verdict.json."""
        whole = msgspec.json.format(msgspec.json.encode(self.to_json(**context)), indent=2)
        path.write_bytes(whole + b"\n")


def judge(history: History, objectives: Objectives, *, require_impact: bool | None = None) -> Judgement:
    """Measure and judge; UNPROVEN wherever the records do not prove it, and never a crash for what they hold.

    `require_impact`: whether a fault that nobody felt proves nothing; None takes it from the mark drill.expects ("bite" or
    "no-bite"), and without that mark it must.
    """
    found = measure(history, objectives)
    if require_impact is None:
        expects = history.first_mark("drill.expects")
        require_impact = expects is None or expects.detail != "no-bite"
    every = _doubts(history, found, objectives, require_impact)
    limits = _limits(found, objectives)
    judged = {name: _judged(m, limits.get(name), every) for name, m in found.named.items()}
    cohorts = tuple(_cohort(c, objectives, every) for c in found.cohorts)
    failures = _failures(judged, cohorts)
    missing_proof = [d.sentence for d in every if d.unproves]
    verdicts = [v for v, _ in failures] + [j.verdict for j in judged.values() if j.verdict]
    verdicts += [Verdict.UNPROVEN] if missing_proof else []
    verdict = Verdict.worst(verdicts)
    told = [why for v, why in failures if v is Verdict.MISSED] + missing_proof
    if verdict is not Verdict.MET:
        told += [d.sentence for d in every if not d.unproves]
    told += [why for v, why in failures if v is Verdict.UNPROVEN]
    return Judgement(verdict, judged, tuple(dict.fromkeys(told)), found.waterfall, cohorts, tuple(missing_proof))


def _doubts(history: History, found: Measurements, objectives: Objectives, require_impact: bool) -> list[Doubt]:
    every: list[Doubt] = []
    try:
        every.extend(doubts(history, found, objectives, require_impact=require_impact))
    except Exception as e:  # a checker that crashes proves nothing, and must say so
        every.append(Doubt(f"the check of the proof crashed ({type(e).__name__}: {e})"))
    return every


def _limits(found: Measurements, objectives: Objectives) -> dict[str, float]:
    limits: dict[str, float | None] = {
        "rto_s": objectives.rto_s,
        "outage_s": objectives.rto_s if "outage_s" in found.named and found["outage_s"].value is not None else None,
        "rpo_s": objectives.rpo_s,
        "lost_writes": objectives.lost_writes,
        "lost_after_fault": objectives.lost_after_fault,
        "lag_p99_s": objectives.lag_p99_s,
        "lag_s3_p99_s": objectives.s3_lag_p99_s,
        **dict.fromkeys(NEVER, 0.0),
    }
    if found["early_acks"].value is None:  # old records cannot tell early acknowledgements from lag: all of it is RPO
        del limits["early_acks"]
    for name, kind in found.kinds.items():
        # a kind of op so rare that nothing can be said of it is not held to anything; one that was down is
        if kind.felt or (kind.rto.upper is not None and kind.rto.upper <= objectives.rto_s):
            limits[name] = objectives.rto_s
    return {name: limit for name, limit in limits.items() if limit is not None}


def _judged(measurement: Measurement, limit: float | None, every: Iterable[Doubt]) -> Judged:
    """A miss that something of the harness itself may have caused is none."""
    if limit is None:
        return Judged(measurement, None, None)
    verdict = Objective(measurement.name, limit).judge(measurement)
    if verdict is Verdict.MISSED and any(d.spoils & kind_of(measurement.name) for d in every):
        verdict = Verdict.UNPROVEN
    return Judged(measurement, limit, verdict)


def _cohort(figure: CohortFigure, objectives: Objectives, every: Iterable[Doubt]) -> JudgedCohort:
    return JudgedCohort(figure.cohort, figure.requests, figure.failed, _judged(figure.rto, objectives.rto_s, every))


def _failures(judged: Mapping[str, Judged], cohorts: tuple[JudgedCohort, ...]) -> list[tuple[Verdict, str]]:
    """Every figure that is not MET, with a sentence."""
    found: list[tuple[Verdict, str]] = []
    each = [*judged.items(), *((f"rto_s of the cohort {c.cohort}", c.rto) for c in cohorts)]
    for name, j in each:
        if j.verdict is None or j.verdict is Verdict.MET:
            continue
        if j.value is None:
            found.append((j.verdict, f"{name} was not measured: {j.because}"))
            continue
        bounds = "" if j.lower == j.upper else f" [{_number(j.lower)}, {_number(j.upper)}]"
        limit = f"its objective {_number(j.limit)}"
        if j.verdict is Verdict.MISSED:
            word = f"exceeds {limit}"
        elif j.lower is not None and j.limit is not None and j.lower > j.limit:
            word = f"exceeds {limit}, which may be the harness's own doing"
        else:
            word = f"cannot be told from {limit}"
        found.append((j.verdict, f"{name} {_number(j.value)}{bounds} {word} ({j.because})"))
    return found


def figure_json(judged: Judged) -> dict[str, Any]:
    """One figure of verdict.json."""
    m = judged.measurement
    return {
        "value": _finite(m.value),
        "lower": _finite(m.lower),
        "upper": _finite(m.upper),
        "unit": m.unit,
        "objective": judged.limit,
        "verdict": None if judged.verdict is None else str(judged.verdict),
        "because": m.because,
        "basis": m.basis,
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _number(value: float | None) -> str:
    if value is None:
        return "?"
    if math.isinf(value):
        return "never"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.3f}"
