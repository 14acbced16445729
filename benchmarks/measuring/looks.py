"""What the independent loop saw: one look a line, and the outage they show, with the bounds that its looks set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measuring.figure import Failed
from drill.history import NS

STORED = (200, 201)


@dataclass(frozen=True, slots=True)
class Look:
    """One look: nanoseconds of its begin and end (one clock), the address it was led to, whether the order was stored."""

    began_ns: int
    ended_ns: int
    address: str
    good: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """It began within `began` and ended within `ended`, both (from, to) in nanoseconds; `looks` failed in between."""

    began: tuple[int, int]
    ended: tuple[int, int]
    looks: int

    @property
    def seconds(self) -> tuple[float, float]:
        """The shortest and the longest it can have been."""
        return max(0, self.ended[0] - self.began[1]) / NS, (self.ended[1] - self.began[0]) / NS


def read_looks(text: str, offset_ns: int = 0) -> list[Look]:
    """The lines of independent_check.sh by when they began, shifted by `offset_ns`; a half-written one is left out."""
    found = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) == 4:
            began, ended, address, status = words
            found.append(Look(int(began) - offset_ns, int(ended) - offset_ns, address, int(status) in STORED))
    return sorted(found, key=lambda look: look.began_ns)


def outage_around(looks: Sequence[Look], fault_ns: int, end_ns: int) -> Outage:
    """The outage that a fault at `fault_ns` brought, up to the first good look from which all are good until `end_ns`.

    `looks` are in the order in which they began. A good look shows service at some time within it. Of a bad one only
    its begin counts, since it may hang: what broke it was there before a good look would have been over, by the longest
    good one before. Raises Failed where the looks show no outage, no service before it or none after it.
    """
    seen = [look for look in looks if look.ended_ns <= end_ns]
    bad = [i for i, look in enumerate(seen) if not look.good and look.ended_ns >= fault_ns]
    if not bad:
        raise Failed(f"the loop felt no outage: all {len(seen)} looks stored their order")
    first, last = bad[0], bad[-1]
    before = [look for look in seen[:first] if look.good]
    if not before:
        raise Failed("the loop saw no service before the fault, so it cannot tell how long the outage lasted")
    if last + 1 == len(seen):
        raise Failed("the loop saw no recovery: its last look failed")
    usual_ns = max(look.ended_ns - look.began_ns for look in before)
    return Outage(
        (before[-1].began_ns, min(seen[first].ended_ns, seen[first].began_ns + usual_ns)),
        (seen[last].began_ns, seen[last + 1].ended_ns),
        sum(1 for look in seen[first : last + 1] if not look.good),
    )
