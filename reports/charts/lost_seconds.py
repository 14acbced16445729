"""The waterfall: where the seconds of a recovery went, one bar a phase; a phase whose mark is missing says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.charts import theme
from reports.figure import Figure
from reports.record import Phase
from reports.wording import seconds
from reports.wording import title as words


def waterfall(
    phases: tuple[Phase, ...],
    base: Path,
    *,
    title: str,
    rto: Figure,
    subtitle: str = "",
    verdict: str | None = None,
) -> tuple[Path, Path]:
    """Draw `<base>.png` and `<base>.svg` and return their paths.

    The bars stand in seconds since the fault; the RTO is a line, its bracket a band, its limit a dashed line.
    """
    known = [p.to_s for p in phases if p.to_s is not None and np.isfinite(p.to_s)]
    value = rto.value if rto.value is not None and np.isfinite(rto.value) else None
    limit = rto.objective if rto.objective is not None and np.isfinite(rto.objective) else None
    reach = max([*known, value or 0.0, 0.5])
    # A limit far beyond would squeeze the bars into a corner: then it is only named.
    shown_limit = limit if limit is not None and limit <= reach * 2 else None
    end = max(reach, shown_limit or 0) * 1.12
    rows = max(len(phases), 1)
    with theme.style():
        height = 0.62 + 0.36 * rows + 0.72
        figure = plt.figure(figsize=(10, height))
        axes = figure.add_axes((0.215, 0.47 / height, 0.765, (0.36 * rows + 0.22) / height))
        axes.set_xlim(0, end)
        axes.set_ylim(rows - 0.35, -0.85)
        axes.grid(axis="y", visible=False)
        axes.set_yticks(range(len(phases)), [words(p.phase) for p in phases])
        axes.tick_params(left=False)
        axes.spines["left"].set_visible(False)
        for row, phase in enumerate(phases):
            if phase.from_s is None or phase.to_s is None or not np.isfinite(phase.to_s):
                axes.barh(row, end, height=0.62, color="none", edgecolor=theme.GRID, hatch="////", lw=0)
                said = f"missing: {phase.note or 'no mark of it'}"
                axes.text(end * 0.01, row, f" {said} ", va="center", fontsize=8.2, style="italic",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
                continue
            took = phase.to_s - phase.from_s
            axes.barh(row, max(took, end * 0.0012), left=phase.from_s, height=0.62, color=theme.PRIMARY)
            _say(axes, row, phase.from_s, phase.to_s, end, value)
        if not phases:
            _absent(axes, "no phase was recorded")
        if value is not None:
            if rto.lower is not None and rto.upper is not None and np.isfinite(rto.upper):
                axes.axvspan(rto.lower, rto.upper, color=theme.STANDBY, alpha=0.55, lw=0, zorder=0)
            _line(axes, value, end, f" RTO {seconds(value)} ", color=theme.INK, fontweight="bold")
        if shown_limit is not None:
            _line(axes, shown_limit, end, f" limit {seconds(limit)} ", color=theme.FAILED, ls=(0, (4, 3)))
        beyond = f" (limit {seconds(limit)}, beyond the picture)" if limit is not None and shown_limit is None else ""
        axes.set_xlabel("seconds since the fault took effect" + beyond)
        theme.heading(figure, title, subtitle, verdict=verdict)
        try:
            return theme.save(figure, base)
        finally:
            plt.close(figure)


def _say(axes: Axes, row: int, begin: float, to: float, end: float, line: float | None) -> None:
    """The bar's seconds: inside it where they fit, else beside it where the RTO's line does not cross them."""
    text, room = seconds(to - begin), end * 0.075
    if to - begin > room:
        axes.text((begin + to) / 2, row, text, va="center", ha="center", fontsize=8.5, color="white", fontweight="bold")
    elif begin > room and line is not None and to * 0.999 < line < to + room:
        axes.text(begin - end * 0.008, row, text, va="center", ha="right", fontsize=8.5)
    else:
        axes.text(to + end * 0.008, row, text, va="center", fontsize=8.5)


def _line(axes: Axes, at: float, end: float, words: str, *, color: str, ls: Any = "-", **text: Any) -> None:
    axes.axvline(at, color=color, lw=1.2, ls=ls)
    side = "right" if at > end * 0.86 else "left"
    axes.text(at, -0.5, words, fontsize=8.5, color=color, ha=side, va="bottom", **text)


def _absent(axes: Axes, sentence: str) -> None:
    axes.set_yticks([])
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", style="italic", color=theme.FAINT)
