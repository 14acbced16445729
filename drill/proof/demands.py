"""Did that happen which the drill's plan says must have happened (drill.demands)?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from drill.demands import ELSEWHERE, What, demands_of
from drill.history import History, Mark
from drill.measure import Measurements
from drill.measure.serving import serving_region
from drill.proof.doubt import Doubt

NAMELESS = 0.1
"""Where more of the acknowledged writes than this name no region, nobody knows who served."""


def demanded(history: History, ops: pl.DataFrame, found: Measurements, *, require_impact: bool) -> Iterator[Doubt]:
    """A sentence for each demand that the records do not show to be fulfilled."""
    times = found.times
    if times.fault is None or times.end_ns is None:
        return
    demands = demands_of(history.marks) or (() if require_impact else ELSEWHERE)
    if not demands:
        return
    written = ops.select("op", "key", "outcome", "region", "began_ns", "ended_ns").filter(
        (pl.col("op") != "read") & (pl.col("outcome") == "ok")
    )
    since = written.filter((pl.col("began_ns") > times.fault[1]) & (pl.col("began_ns") <= times.end_ns))
    nameless = since["region"].null_count()
    if nameless > NAMELESS * since.height:
        yield Doubt(
            f"{nameless} of {since.height} writes acknowledged after the fault say not which region served them"
        )
        return
    healed = history.first_mark("fault.healed")
    seen = _Seen(
        served_before=serving_region(written.filter(pl.col("ended_ns") < times.fault[0])),
        last=serving_region(since),
        since=since.filter(pl.col("region").is_not_null()),
        marks=tuple(m for m in history.marks or () if m.at_ns >= times.fault[0]),
        end_ns=times.end_ns,
        healed_ns=healed.at_ns if healed else 2**62,
    )
    for demand in demands:
        check = CHECKS.get(demand.what)
        if check is None:
            yield Doubt(f"the drill demands {demand.what} {demand.region}, which nobody here can judge".strip())
        elif sentence := check(seen, demand.region):
            yield Doubt(sentence)


@dataclass(frozen=True, slots=True)
class _Seen:
    """`served_before`: the region that served before the fault; `last`: the one that served in the end, of those of `since`, the
    acknowledged writes sent after the fault took effect; `marks` are those since the fault."""

    served_before: str | None
    last: str | None
    since: pl.DataFrame
    marks: tuple[Mark, ...]
    end_ns: int
    healed_ns: int

    @property
    def promoted(self) -> list[str]:
        """What became the writer until the end of observation, as the promotion's mark says it."""
        return [m.detail for m in self.marks if m.event == "promotion.end" and m.at_ns <= self.end_ns]


def _served_by(seen: _Seen, region: str) -> str | None:
    if seen.last is None:
        return "no write that was sent after the fault took effect and acknowledged says which region served it"
    if region and seen.last != region:
        return f"{region} was to serve after the fault, but {seen.last} served the last acknowledged writes"
    if not region and seen.served_before is None:
        return "no write acknowledged before the fault says which region served it"
    if not region and seen.last == seen.served_before:
        return f"another region was to serve after the fault, but {seen.served_before} went on serving"
    return None


def _promoted(seen: _Seen, region: str) -> str | None:
    if any(
        region in detail if region else not seen.served_before or seen.served_before not in detail
        for detail in seen.promoted
    ):
        return None
    return f"no promotion of {region or 'another region'} was seen between the fault and the end of observation"


def _only_served_by(seen: _Seen, region: str) -> str | None:
    expected = region or seen.served_before
    if expected is None:
        return "no write acknowledged before the fault says which region served it"
    others = seen.since.filter(pl.col("region") != expected)
    if others.height:
        return f"{others['region'][0]} served {others.height} writes although {expected} was to go on serving"
    if seen.last is None:
        return f"no write that was sent after the fault took effect and acknowledged shows that {expected} served it"
    return None


def _no_promotion(seen: _Seen, _: str) -> str | None:
    for mark in seen.marks:
        if mark.event in ("promotion.begin", "promotion.end") and mark.at_ns < seen.healed_ns:
            return f"something was promoted although nothing was to move ({mark.event} {mark.detail})"
    return None


CHECKS: Mapping[str, Callable[[_Seen, str], str | None]] = {
    What.SERVED_BY: _served_by,
    What.PROMOTED: _promoted,
    What.ONLY_SERVED_BY: _only_served_by,
    What.NO_PROMOTION: _no_promotion,
}
