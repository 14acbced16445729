"""Time in which a load that was meant to grow or shrink flows evenly, so that what is missing shows all the same.

Arrivals of a rate that moves are those of a constant rate once each instant is replaced by the number of requests that
should have passed by then (the time-rescaling theorem, https://doi.org/10.1162/08997660252741149).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drill.measure.unrecorded import passed
from drill.schedule import Schedule

Floats = npt.NDArray[np.float64]
GRID = 10_000
"""Points by which an even instant is led back to the real one: for sentences, which tell tenths of a second."""


@dataclass(frozen=True, slots=True)
class EvenTime:
    """Real instants (ns) to even ones and back; the even second has as many requests as the baseline's had on average.

    Without `schedules` both are the same.
    """

    schedules: Sequence[Schedule]
    from_ns: int
    rate: float
    real: Floats
    even: Floats

    @classmethod
    def of(cls, schedules: Sequence[Schedule], baseline_ns: int, begin_ns: int, end_ns: int) -> EvenTime:
        """By the schedules of a load, of which at least one has a ramp; a load that is constant is even already."""
        ends = np.array([baseline_ns, begin_ns], np.float64)
        before = _passed(schedules, ends)
        requests = float(before[1] - before[0])
        nothing = np.empty(0)
        if not any(s.ramp for s in schedules) or begin_ns <= baseline_ns or requests <= 0:
            return cls((), baseline_ns, 1.0, nothing, nothing)
        real = np.linspace(baseline_ns, max(end_ns, begin_ns), GRID)
        made = cls(schedules, baseline_ns, requests / (begin_ns - baseline_ns), real, nothing)
        return cls(schedules, baseline_ns, made.rate, real, made.of_real(real))

    def of_real(self, at_ns: npt.NDArray[np.int64] | Floats) -> Floats:
        """Real instants as even ones."""
        times = at_ns.astype(np.float64)
        if not self.schedules:
            return times
        start = float(_passed(self.schedules, np.array([self.from_ns], np.float64))[0])
        found: Floats = self.from_ns + (_passed(self.schedules, times) - start) / self.rate
        return found

    def to_real(self, at_ns: float) -> float:
        """When that is on the clock, as exactly as a sentence needs."""
        return float(np.interp(at_ns, self.even, self.real)) if self.schedules else at_ns


def _passed(schedules: Sequence[Schedule], at_ns: Floats) -> Floats:
    return np.sum([passed(s, at_ns) for s in schedules], axis=0) if schedules else np.zeros(at_ns.shape)
