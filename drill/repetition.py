"""One scenario drilled several times: each run, the median, the worst, and how reliable it is thereby shown to be.

A single recovery within its objective says that it can be met; how often it is met is a share, and what a few runs prove
of a share is its exact binomial bound (drill/reliability.py). A run counts as met where its recovery was judged MET by
every figure of recovery and nothing is missing in its proof. One that is unproven, or asked for and not recorded, is
counted against the lower bound and for the upper one, so that leaving runs out never improves the figure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from drill.evidence import Judged, Judgement, figure_json
from drill.measurement import Measurement
from drill.objective import Floor, Objectives, Verdict
from drill.reliability import at_least, at_most, trials_needed

NUMBERED = re.compile(r"(.+)-(\d{3,})")
USUAL = 0.95
"""The reliability that runs are counted towards where none is demanded."""
SPREAD = {"rto_s": "s", "rpo_s": "s", "lost_writes": "writes", "lag_p99_s": "s", "downtime_s": "s"}
"""Figures told as median and worst of all runs."""


def directory_name(scenario: str, repetition: int) -> str:
    """Where a repetition's records lie: the scenario's own name for the first, `<name>-002` and so on for the others."""
    if NUMBERED.fullmatch(scenario):  # a parameter that looks like the number of a repetition
        scenario = "_".join(scenario.rsplit("-", 1))
    return scenario if repetition == 1 else f"{scenario}-{repetition:03d}"


def scenario_and_repetition(directory: str) -> tuple[str, int]:
    """The other way round."""
    found = NUMBERED.fullmatch(directory)
    return (found[1], int(found[2])) if found and int(found[2]) > 1 else (directory, 1)


@dataclass(frozen=True, slots=True)
class Repetitions:
    """All runs of one scenario, judged together.

    `verdict` is that of the reliability where the objectives demand one, else the worst of the runs. `requested`: how many
    runs there were to be.
    """

    scenario: str
    runs: Mapping[int, Judgement]
    requested: int
    measurements: Mapping[str, Judged]
    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def falls_short(self) -> bool:
        """Whether a reliability was demanded that these runs do not show."""
        return self.measurements["reliability"].verdict not in (None, Verdict.MET)

    def to_json(self, **context: str | float) -> dict[str, Any]:
        """As repetitions.json has it; shaped like a verdict.json, with a line for each run."""
        return {
            "scenario": self.scenario,
            **context,
            "repetitions": self.requested,
            "verdict": str(self.verdict),
            "reasons": list(self.reasons),
            "measurements": {name: figure_json(j) for name, j in self.measurements.items()},
            "runs": [
                {
                    "repetition": number,
                    "verdict": str(run.verdict),
                    "met_rto": str(recovered_in_time(run)),
                    **{name: figure_json(run.measurements[name])["value"] for name in SPREAD},
                }
                for number, run in self.runs.items()
            ],
        }


def recovered_in_time(run: Judgement) -> Verdict:
    """Whether the run met its recovery time, for all clients and kinds of op; at best UNPROVEN where proof is missing."""
    verdicts = [j.verdict for name, j in run.measurements.items() if name.startswith("rto_") and j.verdict]
    verdicts += [c.rto.verdict for c in run.cohorts if c.rto.verdict]
    return Verdict.worst([*verdicts, Verdict.UNPROVEN] if run.doubts else verdicts)


def judge_repetitions(
    scenario: str, runs: Mapping[int, Judgement], objectives: Objectives, requested: int = 0
) -> Repetitions:
    """Judge the runs (by the number of their repetition) together; `requested` for, at least as many as the numbers tell."""
    ordered = {number: runs[number] for number in sorted(runs)}
    requested = max(requested, len(ordered), *ordered, 1)
    found = {"reliability": _reliability([recovered_in_time(r) for r in ordered.values()], objectives, requested)}
    found["runs_needed"] = Judged(_needed(found["reliability"], objectives, requested), None, None)
    for name, unit in SPREAD.items():
        found |= {m.name: Judged(m, None, None) for m in _spread(name, unit, list(ordered.values()))}
    demanded = found["reliability"].verdict
    verdict = Verdict.worst(r.verdict for r in ordered.values()) if demanded is None else demanded
    told = [f"{found['reliability'].because}; {found['runs_needed'].because}"] if demanded else []
    if demanded is None:
        told = [f"run {n}: {reason}" for n, r in ordered.items() for reason in r.reasons[:1]]
    reasons = tuple(told) if verdict is not Verdict.MET else ()
    return Repetitions(scenario, ordered, requested, found, verdict, reasons)


def _reliability(each: Sequence[Verdict], objectives: Objectives, requested: int) -> Judged:
    confidence = objectives.confidence
    met, missed = each.count(Verdict.MET), each.count(Verdict.MISSED)
    unproven = requested - met - missed
    lower, upper = at_least(met, requested, confidence), at_most(requested - missed, requested, confidence)
    doubt = f" ({unproven} unproven or not recorded)" if unproven else ""
    because = (
        f"{met} of {requested} failovers met rto_s {objectives.rto_s:g}{doubt}: "
        f"with {confidence:.4g} confidence at least {lower * 100:.1f} % do"
    )
    figure = Measurement("reliability", met / requested, lower, upper, "share", because, "Clopper-Pearson, one-sided")
    limit = objectives.reliability
    return Judged(figure, limit, None if limit is None else Floor("reliability", limit).judge(figure))


def _needed(reliability: Judged, objectives: Objectives, requested: int) -> Measurement:
    wanted, confidence = objectives.reliability or USUAL, objectives.confidence
    failures = requested - round((reliability.value or 0.0) * requested)
    what = f"to show {wanted * 100:.4g} % with {confidence:.4g} confidence"
    try:
        needed = trials_needed(wanted, confidence, failures)
    except ValueError as e:
        return Measurement.unknown("runs_needed", "runs", str(e))
    flawless = trials_needed(wanted, confidence)
    because = f"{flawless} flawless runs are needed {what}"
    if failures:
        because += f"; {needed} with the {failures} not met"
    return Measurement.exact("runs_needed", float(needed), "runs", because, "success-run theorem")


def _spread(name: str, unit: str, runs: Sequence[Judgement]) -> list[Measurement]:
    """Median and worst; a run in which the figure was not measured counts as the worst there can be."""
    figures = [r.measurements[name].measurement for r in runs]
    stem, suffix = (name.removesuffix("_s"), "_s") if unit == "s" else (name, "")
    names = f"{stem}_median{suffix}", f"{stem}_worst{suffix}"
    known = [f for f in figures if f.value is not None]
    if not known:
        return [Measurement.unknown(n, unit, "it was measured in no run") for n in names]
    unmeasured = len(figures) - len(known)
    values = [math.inf if f.value is None else f.value for f in figures]
    lowers = [0.0 if f.lower is None else f.lower for f in figures]
    uppers = [math.inf if f.upper is None else f.upper for f in figures]
    because = f"of {len(figures)} runs" + (f", {unmeasured} of them without a figure" if unmeasured else "")
    middle = median(values), median(lowers), median(uppers)
    worst = max(values), max(lowers), max(uppers)
    return [Measurement(n, *told, unit, because, name) for n, told in zip(names, (middle, worst), strict=True)]
