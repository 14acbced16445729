"""The timeline of one drill: every request a second by what came of it, who served, latency, lag, and the marks."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from drill.history import NS, History
from reports.charts import theme
from reports.charts.buckets import Buckets, bucket
from reports.charts.lanes import Label, few, gather, pack
from reports.wording import seconds

LANE_IN = 0.19
CHARACTERS = 132
MOST_LABELS = 18


def timeline(
    history: History,
    base: Path,
    *,
    title: str,
    subtitle: str = "",
    verdict: str | None = None,
    deadline_s: float | None = None,
    recovered_s: float | None = None,
    regions: tuple[str, ...] = (),
) -> tuple[Path, Path]:
    """Draw `<base>.png` and `<base>.svg` and return their paths; an absent proof is said in its place, not left blank.

    Seconds are counted from the fault taking effect (from the first request where nothing was broken). `regions` gives
    the order of colours (primary first), `recovered_s` is the measured RTO.
    """
    buckets = bucket(history.ops, deadline_s) if history.ops is not None else None
    effective, began = history.first_mark("fault.effective"), history.first_mark("fault.begin")
    fault = effective or began
    healed = history.first_mark("fault.healed")
    zero = fault.at_ns / NS if fault else (float(buckets.edges_s[0]) if buckets else 0.0)
    start, end = _extent(history, buckets, zero)
    told, left_out = few(gather(history.marks or (), zero, end - start), MOST_LABELS)
    labels = pack(told, start, end, CHARACTERS)
    rows = 1 + max((x.row for x in labels), default=-1)
    with theme.style():
        head, lanes = 0.98, rows * LANE_IN + 0.08
        heights = [lanes, 2.5, 1.05, 1.05]
        figure = plt.figure(figsize=(10, head + sum(heights) + 0.52))
        grid = figure.add_gridspec(
            4, 1, height_ratios=heights, hspace=0.0, left=0.085, right=0.985,
            top=1 - head / figure.get_figheight(), bottom=0.48 / figure.get_figheight(),
        )  # fmt: skip
        words, rate, slow, lag = (figure.add_subplot(grid[row]) for row in range(4))
        for axes in (rate, slow, lag):
            axes.set_xlim(start, end)
            if fault:
                until = healed.at_ns / NS - zero if healed else end
                axes.axvspan(0, until, color=theme.FAULT, lw=0, zorder=0)
        _labels(words, [rate, slow, lag], labels, rows, (start, end))
        _rates(figure, rate, buckets, zero, regions, recovered_s if fault else None)
        _latency(slow, buckets, zero, deadline_s)
        _lag(lag, history.samples, zero)
        for axes in (rate, slow):
            axes.tick_params(labelbottom=False)
        _inset(figure, (rate, slow, lag))
        since = "seconds since the fault took effect" if fault else "seconds since the first request"
        lag.set_xlabel(since + (f"   ({left_out} more marks in marks.jsonl)" if left_out else ""))
        theme.heading(figure, title, subtitle, verdict=verdict)
        try:
            return theme.save(figure, base)
        finally:
            plt.close(figure)


def _extent(history: History, buckets: Buckets | None, zero: float) -> tuple[float, float]:
    times = [m.at_ns / NS - zero for m in history.marks or () if m.event not in {"drill.baseline"}]
    if buckets is not None:
        times += [float(buckets.edges_s[0]) - zero, float(buckets.edges_s[-1]) - zero]
    if not times:
        return 0.0, 1.0
    return min(times), max(max(times), min(times) + 0.5)


def _rates(
    figure: Figure,
    axes: Axes,
    buckets: Buckets | None,
    zero: float,
    regions: tuple[str, ...],
    recovered: float | None,
) -> None:
    axes.set_ylabel("requests / s")
    if buckets is None:
        return _absent(axes, "no request was recorded")
    served = sorted(
        (k.removeprefix("good ") for k in buckets.per_second if k.startswith("good ")),
        key=lambda r: (regions.index(r) if r in regions else len(regions), r),
    )
    palette = (theme.PRIMARY, theme.STANDBY, theme.THIRD, theme.FAINT)
    layers = [(f"good {r}", f"good, served by {r}", palette[min(i, 3)]) for i, r in enumerate(served)]
    layers += [
        ("late", "answered too late", theme.LATE),
        ("unknown", "unknown (time-out)", theme.UNKNOWN),
        ("failed", "failed", theme.FAILED),
    ]
    layers = [x for x in layers if x[0] in buckets.per_second]
    edges = buckets.edges_s - zero
    bottom = np.zeros(len(edges) - 1)
    for key, name, colour in layers:
        top = bottom + buckets.per_second[key]
        axes.stairs(top, edges, baseline=bottom, fill=True, color=colour, label=name, lw=0)
        bottom = top
    axes.set_ylim(0, float(bottom.max()) * 1.18 or 1)
    if recovered is not None and np.isfinite(recovered) and recovered > 0:
        height = float(bottom.max()) * 1.09
        axes.annotate(
            "", (0, height), (recovered, height), arrowprops={"arrowstyle": "<->", "color": theme.INK, "lw": 1.1}
        )
        low, high = axes.get_xlim()
        fits = recovered > 0.16 * (high - low)
        axes.text(
            recovered / 2 if fits else recovered, height, f" RTO {seconds(recovered)} ",
            ha="center" if fits else "left", va="center", fontsize=8.5,
            fontweight="bold", bbox={"facecolor": theme.FAULT, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="upper right", ncols=len(names), handlelength=1.1, handleheight=0.9, columnspacing=1.4,
        bbox_to_anchor=(0.991, 1 - 0.66 / figure.get_figheight()), borderaxespad=0,
    )  # fmt: skip
    return None


def _latency(axes: Axes, buckets: Buckets | None, zero: float, deadline_s: float | None) -> None:
    axes.set_ylabel("latency")
    if buckets is None:
        return _absent(axes, "no request was recorded")
    edges = buckets.edges_s - zero
    axes.stairs(buckets.p99_s, edges, baseline=None, color=theme.FAILED, lw=1.1, label="p99")
    axes.stairs(buckets.p50_s, edges, baseline=None, color=theme.PRIMARY, lw=1.3, label="p50")
    if deadline_s is not None:
        axes.axhline(deadline_s, color=theme.INK, lw=0.8, ls=(0, (4, 3)), label=f"deadline {seconds(deadline_s)}")
    _log_seconds(axes)
    return None


def _lag(axes: Axes, samples: pl.DataFrame | None, zero: float) -> None:
    axes.set_ylabel("replication lag")
    found = None if samples is None else samples.filter(pl.col("metric") == "replication_lag_s").drop_nans("value")
    if found is None or found.is_empty():
        return _absent(axes, "no heartbeat was read")
    for colour, ((subject,), rows) in zip(
        (theme.PRIMARY, theme.THIRD, theme.LATE, theme.FAINT), sorted(found.group_by("subject"), key=lambda g: str(g[0][0])),
        strict=False,
    ):  # fmt: skip
        ordered = rows.sort("at_ns")
        at = ordered["at_ns"].to_numpy() / NS - zero
        # Below a tenth of a millisecond is below what a heartbeat can resolve; a logarithm needs a floor.
        axes.plot(
            at,
            np.maximum(ordered["value"].to_numpy(), 1e-4),
            color=colour,
            lw=1.2,
            marker=".",
            ms=2.5,
            label=str(subject),
        )
    _log_seconds(axes)
    return None


def _labels(words: Axes, below: list[Axes], labels: list[Label], rows: int, extent: tuple[float, float]) -> None:
    theme.bare(words)
    words.set_xlim(*extent)
    words.set_ylim(0, max(rows, 1) + 0.4)
    for label in labels:
        y = label.row + 0.5
        words.plot([label.at_s, label.at_s], [0, y], color=theme.FAINT, lw=0.7, clip_on=False)
        words.plot([label.at_s], [y], marker="o", ms=3, color=theme.INK, clip_on=False)
        bold = "bold" if label.text.startswith("fault.") else "normal"
        words.annotate(
            label.text, (label.at_s, y), xytext=(-5 if label.left else 5, 0), textcoords="offset points", fontsize=7.8,
            va="center", ha="right" if label.left else "left", fontweight=bold, annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip
        for axes in below:
            axes.axvline(label.at_s, color=theme.INK, lw=0.6, alpha=0.35)


def _log_seconds(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.6, high * 2.2)
    axes.yaxis.set_major_formatter(lambda v, _: seconds(v).replace(".00 s", " s").replace(".0 ", " "))
    axes.tick_params(which="minor", left=False)
    axes.yaxis.set_minor_formatter(lambda *_: "")
    axes.yaxis.get_major_locator().set_params(numticks=5)  # type: ignore[call-arg]
    axes.legend(loc="upper left", ncols=4, handlelength=1.4, columnspacing=1.2, borderaxespad=0.15, labelspacing=0.2)


def _absent(axes: Axes, sentence: str) -> None:
    axes.set_yticks([])
    axes.text(0.5, 0.5, sentence, transform=axes.transAxes, ha="center", va="center", style="italic", color=theme.FAINT)


def _inset(figure: Figure, strips: tuple[Axes, ...]) -> None:
    """Part the strips a little, and line their names up at the left edge."""
    gap = 0.11 / figure.get_figheight()
    for axes in strips:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 + gap, box.width, box.height - gap))
    figure.align_ylabels(strips)
