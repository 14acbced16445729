"""The two pictures of a scenario, drawn beside its records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.charts.lost_seconds import waterfall
from reports.charts.timeline import timeline
from reports.record import Run, Scenario
from reports.wording import bracket, limit, value


@dataclass(frozen=True, slots=True)
class Pictures:
    """Paths of the PNGs; an SVG stands beside each."""

    timeline: Path
    waterfall: Path


def draw(scenario: Scenario, run: Run) -> Pictures:
    """Write timeline and waterfall (PNG and SVG) into the scenario's directory."""
    rto = scenario.figure("rto_s")
    objectives = run.objectives(scenario.name)
    where = f"{scenario.target}, pace {scenario.pace:g}"
    history = scenario.history()
    fault = history.first_mark("fault.effective") or history.first_mark("fault.begin")
    served = _regions_by_first_answer(scenario)
    figures = (
        f"RTO {value(rto)} {bracket(rto)} {limit(rto)}".replace("  ", " ").strip() if fault else "nothing was broken"
    )
    drawn, _ = timeline(
        history,
        scenario.directory / "timeline",
        title=scenario.title,
        subtitle=f"{where}: {figures}",
        verdict=scenario.verdict,
        deadline_s=objectives.deadline_s if objectives else None,
        recovered_s=rto.value,
        regions=served,
    )
    fell, _ = waterfall(
        scenario.waterfall,
        scenario.directory / "waterfall",
        title=f"{scenario.title}: where the seconds went",
        subtitle=f"{where}: {figures}",
        verdict=scenario.verdict,
        rto=rto,
    )
    return Pictures(drawn, fell)


def _regions_by_first_answer(scenario: Scenario) -> tuple[str, ...]:
    """Who served first has the first colour: that is the primary, without anyone having to name it."""
    ops = scenario.history().ops
    if ops is None:
        return ()
    served = ops.drop_nulls("region").sort("ended_ns")["region"].unique(maintain_order=True)
    return tuple(str(r) for r in served)
