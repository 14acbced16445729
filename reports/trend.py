"""Figures of every scenario over all runs, and whether the newest run is worse than the last good one.

Runs compare only with runs of the same target and pace. The *last good run* of a scenario is the newest earlier one in
which it was MET. Against it the newest run has regressed where
- its verdict is no longer MET, or
- a figure is worse beyond doubt and beyond noise: even its lower bound lies above the good run's upper bound by more
  than the share in TOLERANCE and by more than FLOOR_S.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from reports.figure import Figure
from reports.record import WORST_FIRST, Run, Scenario
from reports.wording import bracket, label, value

# Lag is a tail of few heartbeats and jumps from run to run; RTO and RPO carry brackets that hold their noise.
TOLERANCE = {"rto_s": 0.10, "rpo_s": 0.10, "lag_p99_s": 0.50}
FLOOR_S = 0.1
STYLES = {"MET": "green", "MISSED": "red", "UNPROVEN": "yellow"}


@dataclass(frozen=True, slots=True)
class Point:
    """One scenario in one run."""

    run: Run
    scenario: Scenario


@dataclass(frozen=True, slots=True)
class Series:
    """One scenario over all runs of one target and pace, oldest first, and how the newest has regressed."""

    name: str
    target: str
    pace: float
    points: tuple[Point, ...]

    @property
    def newest(self) -> Point:
        """The last point."""
        return self.points[-1]

    @property
    def last_good(self) -> Point | None:
        """The newest earlier run in which the scenario was MET (a check of the harness: as intended)."""
        return next((p for p in reversed(self.points[:-1]) if p.scenario.counts_as == "MET"), None)

    @property
    def regressions(self) -> list[str]:
        """One sentence for each way in which the newest run is worse than the last good one."""
        good = self.last_good
        if good is None:
            return []
        now, then = self.newest.scenario, good.scenario
        found = []
        if now.counts_as != "MET":
            why = f": {now.reason}" if now.reason else ""
            found.append(
                f"{self.name}: {then.outcome} in {good.run.run_id}, {now.outcome} in {self.newest.run.run_id}{why}"
            )
        for name, share in TOLERANCE.items():
            if _worse(now.figure(name), then.figure(name), share):
                was, is_ = then.figure(name), now.figure(name)
                found.append(
                    f"{self.name}: {label(name)} {value(is_)} {bracket(is_)} in {self.newest.run.run_id}, "
                    f"was {value(was)} {bracket(was)} in {good.run.run_id}".replace("  ", " ")
                )
        return found


def series_of(runs: tuple[Run, ...]) -> list[Series]:
    """Gather the scenarios of all runs (oldest first) by name, target and pace; what was never judged is no point."""
    found: dict[tuple[str, str, float], list[Point]] = {}
    for run in runs:
        for scenario in _typical(run):
            found.setdefault((scenario.name, scenario.target, scenario.pace), []).append(Point(run, scenario))
    return [Series(*key, tuple(points)) for key, points in sorted(found.items())]


def _typical(run: Run) -> Iterator[Scenario]:
    """Each scenario once: of several runs the one of median RTO (of two the longer), with the worst verdict of them all."""
    by_name: dict[str, list[Scenario]] = {}
    for scenario in run.scenarios:
        if not scenario.judged:
            continue
        by_name.setdefault(scenario.name, []).append(scenario)
    for several in by_name.values():
        ordered = sorted(several, key=lambda s: math.inf if (rto := s.figure("rto_s").value) is None else rto)
        middle, decisive = ordered[len(ordered) // 2], min(several, key=lambda s: WORST_FIRST.index(s.counts_as))
        yield replace(middle, verdict=decisive.verdict, reasons=decisive.reasons, doubts=decisive.doubts)


def trend_table(series: list[Series]) -> RenderableType:
    """Every scenario with its newest figures beside those of the last good run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("Scenario", "Target", "Runs", "MET", "Newest"):
        table.add_column(name, justify="right" if name in {"Runs", "MET"} else "left", overflow="fold")
    for name in TOLERANCE:
        table.add_column(label(name).replace("Replication lag", "Lag"), justify="right", no_wrap=True)
    for one in series:
        now, good = one.newest.scenario, one.last_good
        table.add_row(
            Text(one.name),
            f"{one.target}, pace {one.pace:g}",
            str(len(one.points)),
            str(sum(p.scenario.counts_as == "MET" for p in one.points)),
            Text("as intended" if now.is_check and now.as_intended else now.verdict, style=STYLES[now.counts_as]),
            *(_change(now.figure(n), good.scenario.figure(n) if good else None) for n in TOLERANCE),
        )
    return table


def _change(now: Figure, then: Figure | None) -> str:
    if then is None or then.value is None:
        return value(now)
    return f"{value(now)} (was {value(then)})"


def _worse(now: Figure, then: Figure, share: float) -> bool:
    least = now.lower if now.lower is not None else now.value
    most = then.upper if then.upper is not None else then.value
    if now.value is not None and math.isinf(now.value):
        least = math.inf
    if least is None or most is None or math.isinf(most):
        return False
    return least > most * (1 + share) and least > most + FLOOR_S
