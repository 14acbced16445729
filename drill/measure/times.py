"""When it happened: the instants of a drill that its marks fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from drill.history import Mark


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds since t0; None where the mark is missing.

    The fault took effect somewhere in [begin_ns, effective_ns]. `end_ns` is the end of observation: drill.end, or
    fault.healed if that came first, since what recovers only because the fault was taken away has not recovered.
    `over_ns` is the mark fault.over within the observation: the fault has ended by itself, of its own duration; that began
    at `ending_ns` (fault.ending), which older records lack.
    `steady_until_ns` is when anything was first disturbed (degraded.begin of an earlier disturbance, else the fault).
    """

    baseline_ns: int | None
    begin_ns: int | None
    effective_ns: int | None
    end_ns: int | None
    steady_until_ns: int | None
    ending_ns: int | None = None
    over_ns: int | None = None

    @classmethod
    def of(cls, marks: Iterable[Mark] | None) -> Times:
        """Read off the first mark of each event."""
        first: dict[str, int] = {}
        for mark in marks or ():
            first[mark.event] = min(mark.at_ns, first.get(mark.event, mark.at_ns))
        begin = first.get("fault.begin")
        ends = [first[e] for e in ("drill.end", "fault.healed") if e in first and (begin is None or first[e] > begin)]
        end = min(ends, default=None)

        def while_observed(event: str) -> int | None:
            at = first.get(event)
            return at if at is not None and end is not None and (begin is None or begin < at) and at < end else None

        disturbed = [first[e] for e in ("degraded.begin", "fault.begin") if e in first]
        return cls(
            baseline_ns=first.get("drill.baseline"),
            begin_ns=begin,
            effective_ns=first.get("fault.effective"),
            end_ns=end,
            steady_until_ns=min(disturbed, default=None),
            ending_ns=while_observed("fault.ending"),
            over_ns=while_observed("fault.over"),
        )

    @property
    def fault(self) -> tuple[int, int] | None:
        """(begin_ns, effective_ns) where both marks stand, in their order."""
        if self.begin_ns is None or self.effective_ns is None or self.effective_ns < self.begin_ns:
            return None
        return self.begin_ns, self.effective_ns
