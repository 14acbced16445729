"""What is missing in the proof: every reason why the figures of a history, as they look, prove nothing.

One question a file; each function asks it of the records and yields doubts.
"""

from __future__ import annotations

from collections.abc import Iterator

from drill.history import History
from drill.imported_load import imported_load
from drill.measure import Measurements, sound_ops
from drill.objective import Objectives
from drill.proof.course import course
from drill.proof.demands import demanded
from drill.proof.doubt import Doubt, Figures, kind_of
from drill.proof.events import deaths, starved
from drill.proof.load import answered, clock, generator, imported_whole, recorded_as_scheduled, requested_throughout
from drill.proof.records import marked, readable, regions
from drill.proof.steady import steady_before
from drill.proof.survivors import survivors_read

__all__ = ["Doubt", "Figures", "doubts", "kind_of"]


def doubts(history: History, found: Measurements, objectives: Objectives, *, require_impact: bool) -> Iterator[Doubt]:
    """Every reason that the records give, what may have caused the others first."""
    yield from deaths(history)
    yield from course(history)
    yield from (Doubt(sentence, Figures.ALL) for sentence in found.crashed)
    yield from readable(history)
    yield from marked(history, found)
    if history.ops is None:
        return
    ops = sound_ops(history)
    yield from clock(ops)
    yield from generator(history, ops, found)
    yield from recorded_as_scheduled(history, ops, found)
    yield from imported_whole(history)
    yield from answered(ops, found, objectives)
    yield from steady_before(found, objectives)
    yield from requested_throughout(history, found)
    if require_impact and found.times.fault is not None and not _felt(found):
        yield Doubt("nobody felt the fault: no outage that cannot be chance was seen after it")
    yield from demanded(history, ops, found, require_impact=require_impact)
    load = imported_load(history.marks)
    if load is None or not load.only_rto:
        yield from survivors_read(history, ops, found)
    yield from regions(history, ops)
    yield from starved(history)


def _felt(found: Measurements) -> bool:
    """Whether requests failed that were due after the fault began: what was open then may have hung for another reason."""
    begin_ns = found.times.begin_ns or 0
    if any(r.failed_after(begin_ns) for r in (found.whole, *found.kinds.values())):
        return True
    return any(c.felt and (c.rto.lower or 0.0) > 0 for c in found.cohorts)
