"""What is true of a played script: from the script and the service's own log, never from what clients recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from benchmarks.calibrating.script import BASELINE_S, LOST_BUT_KEPT, How, Whom
from benchmarks.calibrating.service import Log, Read, Scheduled

ORDERS_PER_S = 200.0
READS_PER_S = 20.0
RECEIPT_EVERY = 10
NS = 1_000_000_000

Span = tuple[int, int]
"""An instant lies within [from, to], ns; both equal where it is exact."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Times are ns of time.monotonic_ns(); rows and objects are keys.

    `back` is None where service never came back. `luck`: how many requests next to the last end met with another fate
    than the script has for them, by chance; no observer can tell those from the state of service.
    `interval_s`: between two requests that the outage concerns.
    """

    scheduled: Scheduled
    fault: Span
    back: Span | None
    outages: tuple[tuple[Span, Span], ...]
    interval_s: float
    luck: int
    acked: int
    in_doubt: int
    in_doubt_found: int
    rows: frozenset[int]
    objects: frozenset[int]
    lost_rows: Mapping[int, int]
    """Acknowledged rows that do not survive, with the instant of the service's answer."""
    lost_objects: Mapping[int, int]
    lost_after: int

    @property
    def counts_all_in_doubt(self) -> bool:
        """Whether the service read every request that left its client in doubt."""
        return self.scheduled.script.how not in (How.REFUSED, How.GONE)

    @property
    def rto_s(self) -> tuple[float, float]:
        """Least and greatest true recovery time."""
        if self.back is None:
            return float("inf"), float("inf")
        return (self.back[0] - self.fault[1]) / NS, (self.back[1] - self.fault[0]) / NS

    @property
    def downtime_s(self) -> tuple[float, float]:
        """Least and greatest true time down."""
        return (
            sum(b[0] - a[1] for a, b in self.outages) / NS,
            sum(b[1] - a[0] for a, b in self.outages) / NS,
        )

    def rpo_s(self, lost: Mapping[int, int]) -> tuple[float, float]:
        """Least and greatest true age of the oldest lost write at the fault."""
        before = [at for at in lost.values() if at < self.fault[0]]
        if not before:
            return 0.0, 0.0
        return (self.fault[0] - min(before)) / NS, (self.fault[1] - min(before)) / NS


def truth_of(number: int, scheduled: Scheduled, log: Log, keys: Collection[int]) -> Truth:
    """The truth of the script that was played as `number`, whose orders had `keys`."""
    script = scheduled.script
    end_ns = scheduled.at_ns(script.observed_s)
    own = [r for r in log.reads if scheduled.start_ns <= r.at_ns < scheduled.at_ns(script.lasts_s)]
    orders = [r for r in own if r.order and r.key in keys]
    outages = _outages(number, scheduled, log)
    fault = outages[0][0] if outages else _exactly(scheduled.at_ns(BASELINE_S))
    back = None if script.never else (outages[-1][1] if outages else fault)
    acked_rows = {r.key: r.acked_ns for r in orders if r.acked_ns is not None}
    acked_objects = {r.key: acked_rows[r.key] for r in orders if r.key in acked_rows and _object(script.how, r)}
    lost_rows = _lost(acked_rows, fault[0], script.loses_s)
    lost_objects = _lost(acked_objects, fault[0], script.loses_objects_s)
    after = sorted(k for k, at in acked_rows.items() if back is not None and back[1] < at < end_ns)
    split = after[: script.loses_after]
    lost_rows |= {k: acked_rows[k] for k in split}
    doubts = [r for r in orders if r.in_doubt]
    silent = sum(1 for r in orders if r.receipt and r.failed and script.how is How.NO_RECEIPT)
    found = [r for r in doubts if r.stored]
    return Truth(
        scheduled=scheduled,
        fault=fault,
        back=back,
        outages=outages,
        interval_s=_interval_s(script.whom, script.how),
        luck=_luck([r for r in own if script.whom is not Whom.READS or not r.order], back),
        acked=len(acked_rows) + len(acked_objects),
        in_doubt=len(doubts) + sum(r.receipt for r in doubts) + silent,
        in_doubt_found=len(found) + sum(r.receipt for r in found),
        rows=frozenset(r.key for r in orders if r.stored) - lost_rows.keys(),
        objects=frozenset(r.key for r in orders if r.stored and _object(script.how, r)) - lost_objects.keys(),
        lost_rows=lost_rows,
        lost_objects=lost_objects,
        lost_after=len(split),
    )


def _outages(number: int, scheduled: Scheduled, log: Log) -> tuple[tuple[Span, Span], ...]:
    script = scheduled.script
    spans = [(_exactly(scheduled.at_ns(a)), _exactly(scheduled.at_ns(b))) for a, b in script.outages]
    if script.how is How.REFUSED:
        spans = [(a, log.opened[number]) for a, _ in spans]
    if script.how is How.GONE:
        # clients come back with the first answer of DNS that leads elsewhere, unless that place is down as well
        answered = min(at for at in log.asked_ns if at >= log.flipped[number])
        spans = [(log.closed[number], max(b, _exactly(answered))) for _, b in spans]
    return tuple(spans)


def _exactly(at_ns: int) -> Span:
    return at_ns, at_ns


def _object(how: How, read: Read) -> bool:
    return read.receipt and not (how is How.NO_RECEIPT and read.failed)


def _lost(acked: Mapping[int, int], fault_ns: int, loses_s: float) -> dict[int, int]:
    from_ns = fault_ns - round(loses_s * NS)
    return {k: at for k, at in acked.items() if from_ns <= at < fault_ns and k % LOST_BUT_KEPT}


def _interval_s(whom: Whom, how: How) -> float:
    if how is How.NO_RECEIPT:
        return RECEIPT_EVERY / ORDERS_PER_S
    return 1 / READS_PER_S if whom is Whom.READS else 1 / ORDERS_PER_S


def _luck(own: list[Read], back: Span | None) -> int:
    if back is None:
        return 0
    ordered = sorted(own, key=lambda r: r.at_ns)
    down = [r for r in ordered if r.down and r.at_ns <= back[1]]
    up = [r for r in ordered if not r.down and r.at_ns >= back[0]]
    lucky = next((i for i, r in enumerate(reversed(down)) if r.failed), len(down))
    return lucky + next((i for i, r in enumerate(up) if not r.failed), len(up))
