"""How every picture looks: colours a colour-blind reader can tell apart, one font, saved as PNG and SVG.

Colours are of the Okabe-Ito set (Okabe & Ito 2008, "Color Universal Design"): good is blue, bad is warm, and the two
also differ in lightness, so the pictures hold in grey.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#22303c"
FAINT = "#8a97a3"
GRID = "#e6eaee"
FAULT = "#f6e3dc"
PRIMARY, STANDBY, THIRD = "#0072b2", "#7cc4ec", "#009e73"
LATE, FAILED, UNKNOWN = "#cc79a7", "#d55e00", "#f0b93a"
VERDICTS = {"MET": "#00795a", "MISSED": "#b8420b", "UNPROVEN": "#8a6d00"}

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    # The same records give the same bytes: no random ids, no dates.
    "svg.hashsalt": "failover-drill",
    "svg.fonttype": "path",
}
DEFAULTS: dict[str, Any] = {
    k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith(("backend", "interactive"))
}
"""A matplotlibrc of the host's changes no picture."""
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def style() -> AbstractContextManager[None]:
    """What is drawn within it looks so."""
    return matplotlib.rc_context(DEFAULTS | RC)  # type: ignore[arg-type]


def heading(figure: Figure, title: str, subtitle: str, *, verdict: str | None = None) -> None:
    """Title and one line beneath it, at the left edge; the verdict in its colour at the right."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.14 / height, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / height, subtitle, fontsize=9, color="#55626e", va="top")
    if verdict:
        colour = VERDICTS.get(verdict, INK)
        figure.text(
            0.988, 1 - 0.15 / height, verdict, fontsize=13, fontweight="bold", color=colour, va="top", ha="right"
        )


def bare(axes: Axes) -> None:
    """An axis that carries words only."""
    axes.set_yticks([])
    axes.grid(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(bottom=False, labelbottom=False)


def save(figure: Figure, base: Path) -> tuple[Path, Path]:
    """Write `<base>.png` (150 dpi) and `<base>.svg`; the same figure gives the same bytes."""
    png, svg = base.with_suffix(".png"), base.with_suffix(".svg")
    base.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(png, dpi=150, facecolor="white", metadata={"Software": None})
    figure.savefig(svg, facecolor="white", metadata={"Date": None})
    return png, svg
