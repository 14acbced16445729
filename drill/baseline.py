"""The baseline of a drill: under load, and with nothing broken, is the system steady enough to be broken?

First it warms up: the first requests start what starts on demand. Then it is observed until its availability is shown. A
system that is not steady is observed anew, a few times; each time is marked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from drill.measure import Recovery, recovery
from drill.measure.reach import patience_ns
from drill.measure.unrecorded import schedules
from drill.objective import Objectives
from drill.parts import Traffic
from drill.proof.steady import needed_requests

SHOWN = 2
"""Windows beyond the warm-up until a steady service shows."""
PATIENCE = 10.0
"""A baseline lasts at most this many times as long as planned, however few requests it sees."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is observed, and how the drill hears of it.

    `show` says how service is at this moment; `has_failed`: whether the load generator died, or anything else ends the
    drill; `wait` lasts until the next look.
    """

    objectives: Objectives
    traffic: Traffic
    t0_ns: int
    primary_region: str
    mark: Callable[[str, str, str, int], None]
    show: Callable[[], Recovery]
    has_failed: Callable[[], bool]
    wait: Callable[[], object]

    def is_steady(self, *, warm_up_s: float, for_s: float, times: int) -> bool:
        """Whether service becomes steady within `warm_up_s`, and then is so for `for_s`, at one of so many times."""
        if not self._warm_up(warm_up_s):
            return False
        for _ in range(times):
            began_ns = time.monotonic_ns()
            steady = self._observe(began_ns, for_s)
            if steady is None:
                return False
            if steady:
                self.mark("drill.baseline", "traffic", f"{for_s:g} s", began_ns)
                return True
            self.mark("baseline.unsteady", "traffic", f"not steady for {for_s:g} s", began_ns)
        return False

    def _warm_up(self, warm_up_s: float) -> bool:
        """Let the first requests start what starts on demand; whether service then became steady.

        What was bad at first stays in the window for as long as that is, and then it has to be good for another one.
        """
        limit = time.monotonic() + warm_up_s + SHOWN * self.objectives.window_s
        steady_since: float | None = None
        while (now := time.monotonic()) < limit and not self.has_failed():
            share = self.show().share_good
            if share is None or share < self.objectives.availability:
                steady_since = None
            elif steady_since is None:
                steady_since = now
            elif now - steady_since >= self.objectives.window_s:
                return True
            self.wait()
        return False

    def _observe(self, began_ns: int, for_s: float) -> bool | None:
        """Whether service is steady while nothing is done for `for_s`; None where the load generator failed.

        It is watched for longer where that is needed to show the availability, and is steady if no outage could be told
        from chance, by the measure that later judges the baseline: requests that hang without an answer count.
        """
        begin_ns, began_s = began_ns - self.t0_ns, time.monotonic()
        least_s, needed = max(for_s, self.objectives.window_s), needed_requests(self.objectives)
        while True:
            self.wait()
            self.show()
            if self.has_failed():
                return None
            recorded = self.traffic.ops()
            ops = recorded.filter(pl.col("intended_ns") >= begin_ns)
            watched_s = time.monotonic() - began_s
            if watched_s >= least_s and (ops["intended_ns"].n_unique() >= needed or watched_s >= PATIENCE * least_s):
                break
        now_ns = time.monotonic_ns() - self.t0_ns
        overdue_ns = patience_ns(ops.lazy(), self.objectives)
        # The last window may begin before this observation: what was answered then is not unanswered.
        state = recovery(recorded, self.objectives, begin_ns, now_ns, schedules(self.traffic.marks()), overdue_ns)
        share = state.share_good
        well = not state.felt and not state.down and share is not None and share >= self.objectives.availability
        return well and self._served_by_primary(ops)

    def _served_by_primary(self, ops: pl.DataFrame) -> bool:
        served = ops.filter((pl.col("outcome") == "ok") & pl.col("region").is_not_null())["region"]
        return not self.primary_region or bool((served == self.primary_region).all())
