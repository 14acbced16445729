"""Labels of marks in as few rows as hold them without one lying over another."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from drill import demands, expectation, schedule
from drill.history import NS, Mark

EDGES = frozenset({"drill.baseline", "drill.end", "fault.begin", "degraded.begin"})
"""Of these every drill has one at its very edge; the picture's axis says it already."""
INTENTIONS = frozenset({"drill.expects", expectation.MARK, demands.EVENT, schedule.EVENT})
"""These say what was meant to happen, and not that it did."""
SILENT = EDGES | INTENTIONS

OF_RUN = re.compile(r"^drill-\d{8}t\d{6}z-[0-9a-f]{6}-")
"""How the name of every resource of a run begins; it tells a reader nothing."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its time, its words, and the row it stands in (0 is nearest to the plot)."""

    at_s: float
    text: str
    row: int
    left: bool


def gather(marks: Iterable[Mark], zero_s: float, span_s: float) -> list[tuple[float, str]]:
    """(seconds after `zero_s`, words) for each mark; the same one seen by many within 2 % of the span is told once."""
    found: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for mark in sorted(marks, key=lambda m: m.at_ns):
        if mark.event in SILENT:
            continue
        at = mark.at_ns / NS - zero_s
        seen = found.setdefault((mark.event, _who(mark)), [])
        if seen and at - seen[-1][0] <= span_s * 0.02:
            seen[-1] = (seen[-1][0], seen[-1][1] + 1)
        else:
            seen.append((at, 1))
    told = [
        (at, f"{event} {who}".strip() + (f" ×{times}" if times > 1 else ""))
        for (event, who), seen in found.items()
        for at, times in seen
    ]
    return sorted(told)


def few(told: list[tuple[float, str]], most: int) -> tuple[list[tuple[float, str]], int]:
    """At most `most` of them, and how many are left out: the first of each event stays, then what comes earliest."""
    firsts = {text.partition(" ")[0]: (at, text) for at, text in sorted(told, reverse=True)}
    first = sorted(firsts.values())
    kept = (first + [x for x in sorted(told) if x not in first])[:most]
    return sorted(kept), len(told) - len(kept)


def pack(told: list[tuple[float, str]], start_s: float, end_s: float, characters: int) -> list[Label]:
    """Give each label a row; `characters` is how many fit the whole width.

    A label stands above every mark that lies beneath its words, so that no leader line crosses them: read left to
    right the labels descend like stairs. Where the right edge is near, the words go to the left.
    """
    a_character = (end_s - start_s) / characters
    spans = {}
    for at, text in told:
        width = (len(text) + 2) * a_character
        left = at + width > end_s and at - width >= start_s
        spans[at, text] = ((at - width, at) if left else (at, at + width), left)
    rows: dict[tuple[float, str], int] = {}

    def place(one: tuple[float, str]) -> None:
        begin, end = spans[one][0]
        beneath = [rows[o] for o in rows if begin <= o[0] <= end or _overlap(spans[o][0], (begin, end))]
        rows[one] = 1 + max(beneath, default=-1)

    for one in sorted((o for o in spans if not spans[o][1]), reverse=True):
        place(one)
    for one in sorted(o for o in spans if spans[o][1]):
        place(one)
    return [Label(at, text, rows[at, text], spans[at, text][1]) for at, text in sorted(rows)]


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _who(mark: Mark) -> str:
    words = mark.detail if mark.event.startswith(("dns.", "alarm.")) and mark.detail else mark.subject
    words = OF_RUN.sub("", words)
    return words if len(words) <= 28 else words[:27] + "…"
