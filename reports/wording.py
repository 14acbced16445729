"""How figures read: the same rounding, units and words in the table, the summary, the PDF and the pictures."""

from __future__ import annotations

import math

from reports.figure import Figure

UNKNOWN = "?"
ACRONYMS = {w.lower(): w for w in ("API", "AWS", "DNS", "KMS", "NACL", "RTO", "RPO", "S3", "TTL")}
SHORT = {"MET": "✔ MET", "MISSED": "✘ MISSED", "UNPROVEN": "? UNPROVEN"}


def seconds(value: float | None) -> str:
    """3 significant digits where they mean something: 0.8 ms, 140 ms, 8.42 s, 95.3 s, 12 min 30 s, never."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "never"
    if value < 0:
        return "-" + seconds(-value)
    if value == 0:
        return "0 s"
    # Each limit is where rounding would carry into a digit too many: 9.996 s is 10.0 s, not 10.00 s.
    if value < 0.00995:
        return f"{value * 1000:.1f} ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 599.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def count(value: float | None) -> str:
    """A whole number with thousands separated by a thin comma."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "unbounded"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def quantity(value: float | None, unit: str) -> str:
    """A value in its unit; a share is shown in percent."""
    if unit == "s":
        return seconds(value)
    if unit in {"share", "ratio"}:
        return UNKNOWN if value is None else f"{value * 100:.2f} %"
    return count(value)


def bracket(figure: Figure) -> str:
    """`[lower, upper]`, empty where the figure is exact or nothing is known of its bounds.

    The unit is left out where it is the value's own, which stands beside it: 8.42 s [8.40, 8.45].
    """
    if figure.lower is None and figure.upper is None:
        return ""
    if figure.lower == figure.upper == figure.value:
        return ""
    said = [quantity(x, figure.unit) for x in (figure.value, figure.lower, figure.upper)]
    units = {x.partition(" ")[2] for x in said}
    low, high = (x.partition(" ")[0] for x in said[1:]) if len(units) == 1 and "min" not in said[0] else said[1:]
    return f"[{low}, {high}]"


def limit(figure: Figure) -> str:
    """`<= limit` (of a share that must be reached, `>=`), empty where no objective was set."""
    sign = "≥" if figure.unit == "share" else "≤"
    return "" if figure.objective is None else f"{sign} {quantity(figure.objective, figure.unit)}"


def value(figure: Figure) -> str:
    """The value alone, in its unit."""
    return quantity(figure.value, figure.unit)


def title(name: str) -> str:
    """A scenario's or event's identifier as words: primary_region_lost -> Primary region lost."""
    words = name.replace("_", " ").replace(".", " ").split()
    words = [ACRONYMS.get(w.lower(), w) for w in words]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]]) if words else ""


LABELS = {
    "rto_s": "RTO",
    "rpo_s": "RPO",
    "lost_writes": "Lost writes",
    "lost_after_fault": "Lost after the fault (split brain)",
    "acked_writes": "Acknowledged writes",
    "in_doubt_writes": "In-doubt writes",
    "downtime_s": "Time down in all",
    "outage_s": "Longest outage that was observed",
    "outages": "Outages that were observed",
    "lag_p50_s": "Replication lag p50",
    "lag_p95_s": "Replication lag p95",
    "lag_p99_s": "Replication lag p99",
    "lag_max_s": "Replication lag, worst",
    "engine_lag_p99_s": "Lag the engine claims, p99",
    "engine_lag_difference_s": "Engine's claim less heartbeats",
    "cloudwatch_lag_p99_s": "Lag CloudWatch claims, p99",
    "cloudwatch_lag_difference_s": "CloudWatch's claim less heartbeats",
}


def label(name: str) -> str:
    """What a figure is called; one that is not known by a name of its own is called by its identifier in words."""
    return LABELS.get(name) or title(name.removesuffix("_s"))
