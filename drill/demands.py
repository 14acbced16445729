"""What must have happened in a drill for it to prove anything: a plan's demands, told in the records as marks.

A recovery time alone does not say that the standby took over: a switchover that did nothing is back at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from drill.history import Mark

EVENT = "drill.demands"
"""The mark's event; its subject is the demand, its detail the region."""


class What(enum.StrEnum):
    """What may be demanded."""

    SERVED_BY = "writes served by"
    """Writes are acknowledged by that region once the fault took effect, and it serves when observation ends."""
    PROMOTED = "promotion of"
    """The database of that region became the writer."""
    ONLY_SERVED_BY = "writes served only by"
    """No other region acknowledged a write after the fault, and that one did."""
    NO_PROMOTION = "no promotion"
    """No other database became the writer."""


@dataclass(frozen=True, slots=True)
class Demand:
    """`region` empty: any other than the one that served before the fault."""

    what: str
    region: str = ""


def moved_to(region: str) -> tuple[Demand, ...]:
    """Failed over or switched over: that region's database was promoted, and it serves."""
    return Demand(What.SERVED_BY, region), Demand(What.PROMOTED, region)


def stayed_at(region: str) -> tuple[Demand, ...]:
    """Must not fail over: that region goes on serving, and no other is promoted."""
    return Demand(What.ONLY_SERVED_BY, region), Demand(What.NO_PROMOTION)


ELSEWHERE = moved_to("")
"""What is demanded of a drill whose fault need not be felt and whose records name no demand: that anything happened."""


def demands_of(marks: Iterable[Mark] | None) -> tuple[Demand, ...]:
    """Those that the marks tell."""
    return tuple(Demand(m.subject, m.detail) for m in marks or () if m.event == EVENT)
