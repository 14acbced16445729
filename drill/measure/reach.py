"""Which requests the fault can have hurt: those due after it, and those that were still in time when it struck.

A request that was due before the fault and is bad was hurt by it only if nothing was wrong with it yet: its deadline had not
passed, and it had not been open for longer than requests usually are. Any other is a failure of the steady state before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from drill.history import NS
from drill.measure.times import Times
from drill.objective import Objectives

USUAL = 0.99
"""The share of good requests that are answered within the usual time."""
SLACK = 2.0
SLACK_NS = NS // 20
"""A request is overdue once it was open for SLACK times the usual time, and for this much more than it: of those open at any
instant the slow ones are more than their share."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A request due in [`earliest_due_ns`, `begin_ns`) that is bad and ended at `begin_ns` or later may be the fault's."""

    earliest_due_ns: int
    begin_ns: int

    @classmethod
    def of(cls, ops: pl.DataFrame, times: Times, objectives: Objectives) -> Reach | None:
        """From what requests took that were answered before the fault; None where there is no fault."""
        begin_ns = times.begin_ns
        if begin_ns is None:
            return None
        return cls(begin_ns - patience_ns(ops.lazy().filter(pl.col("ended_ns") < begin_ns), objectives), begin_ns)


def patience_ns(ops: pl.LazyFrame, objectives: Objectives) -> int:
    """For how long a request may be open before something is wrong with it, from what good ones took; at most the deadline."""
    took = pl.col("ended_ns") - pl.col("intended_ns")
    good = (pl.col("outcome") == "ok") & (took <= objectives.deadline_ns)
    answered = ops.filter(good).select(took=took).collect()["took"].to_numpy()
    if not answered.size:
        return objectives.deadline_ns
    usual_ns = float(np.quantile(answered, USUAL, method="higher"))
    return min(objectives.deadline_ns, round(max(SLACK * usual_ns, usual_ns + SLACK_NS)))
