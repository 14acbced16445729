"""The trend: RTO, RPO and lag of each scenario over all runs, small pictures side by side with their objective."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from reports.charts import theme
from reports.trend import Series
from reports.wording import seconds, title

COLUMNS = (("rto_s", "RTO"), ("rpo_s", "RPO"), ("lag_p99_s", "Replication lag p99"))
MARKERS = {"MET": "o", "MISSED": "X", "UNPROVEN": "D"}


def trend(series: list[Series], base: Path) -> tuple[Path, Path]:
    """Draw `<base>.png` and `<base>.svg` and return their paths: a row a scenario, one dot a run with its bracket."""
    rows = max(len(series), 1)
    with theme.style():
        height = 1.0 + 1.25 * rows + 0.35
        figure = plt.figure(figsize=(11, height))
        grid = figure.add_gridspec(
            rows,
            len(COLUMNS),
            left=0.245,
            right=0.985,
            top=1 - 0.95 / height,
            bottom=0.4 / height,
            wspace=0.27,
            hspace=0.3,
        )
        for row, one in enumerate(series):
            for column, (name, words) in enumerate(COLUMNS):
                axes = figure.add_subplot(grid[row, column])
                _dots(axes, one, name)
                if row == 0:
                    axes.set_title(words, fontsize=9, fontweight="bold", loc="left")
                if column == 0:
                    box = axes.get_position()
                    middle = (box.y0 + box.y1) / 2
                    said = title(one.name).replace(" then ", " then\n")
                    figure.text(0.012, middle, said, va="bottom", fontweight="bold")
                    where = f"{one.target}, pace {one.pace:g}"
                    figure.text(0.012, middle, f"{where}\n", va="top", color=theme.FAINT, fontsize=8, linespacing=1.6)
        worse = sum(bool(s.regressions) for s in series)
        found = f"{worse} regressed against the last good run" if worse else "none regressed against its last good run"
        times = len({p.run.run_id for s in series for p in s.points})
        key = "dot MET, cross MISSED, diamond UNPROVEN; dashed: objective"
        theme.heading(figure, f"Trend over {times} runs", f"{len(series)} scenarios, {found}; {key}")
        try:
            return theme.save(figure, base)
        finally:
            plt.close(figure)


def _dots(axes: Axes, series: Series, name: str) -> None:
    figures = [p.scenario.figure(name) for p in series.points]
    at = np.arange(len(figures))
    known = [(i, f.value) for i, f in enumerate(figures) if f.value is not None and np.isfinite(f.value)]
    axes.plot([i for i, _ in known], [v for _, v in known], color=theme.FAINT, lw=0.9, zorder=1)
    limits = [f.objective for f in figures if f.objective is not None]
    highs = [f.upper for f in figures if f.upper is not None and np.isfinite(f.upper)]
    top = max([v for _, v in known] + highs + [1e-3])
    for i, v in known:
        figure, verdict = figures[i], series.points[i].scenario.counts_as
        low, high = figure.lower if figure.lower is not None else v, figure.upper if figure.upper is not None else v
        if np.isfinite(high):
            axes.vlines(i, low, high, color=theme.PRIMARY, lw=3, alpha=0.35, zorder=2)
        colour = theme.PRIMARY if verdict == "MET" else theme.VERDICTS.get(verdict, theme.INK)
        axes.plot([i], [v], marker=MARKERS.get(verdict, "o"), color=colour, ms=4.5, zorder=3)
    for i, f in enumerate(figures):
        if f.value is None or not np.isfinite(f.value):
            where: Any = ("data", "axes fraction")
            word = "?" if f.value is None else "never"
            axes.annotate(word, (i, 0.93), xycoords=where, ha="center", va="top", fontsize=7.5, color=theme.FAILED)
    if limits:
        axes.axhline(limits[-1], color=theme.FAILED, lw=0.9, ls=(0, (4, 3)))
    # The objective is shown where it is near; far above, it would flatten what there is to see.
    axes.set_ylim(0, (max(top, limits[-1]) if limits and limits[-1] <= 4 * top else top) * 1.25)
    axes.set_xlim(-0.5, max(len(at) - 0.5, 0.5))
    axes.yaxis.set_major_formatter(lambda v, _: seconds(v).replace(".00 s", " s").replace(".0 ", " "))
    axes.locator_params(axis="y", nbins=4)
    axes.set_xticks([0, len(at) - 1] if len(at) > 1 else [0])
    axes.set_xticklabels(
        [f"{series.points[i].run.started_at:%d %b %H:%M}" for i in axes.get_xticks().astype(int)], fontsize=7
    )
    axes.tick_params(axis="y", labelsize=7.5)
    if len(at) > 2:  # one or two stand far enough from the edges to be centred, and would meet if they were not
        labels = axes.get_xticklabels()
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")
