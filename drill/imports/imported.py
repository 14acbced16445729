"""What was read of a tool's file: its requests as columns of ops, and what the file says about itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from drill.history import OPS_SCHEMA
from drill.imports.outcome import REQUEST, judged
from drill.parquet_file import MOST_ROWS
from drill.records import Outcome
from drill.unusable import UnusableInput

COLUMNS = ("op", "key", "cohort", "intended_ns", "began_ns", "ended_ns", "outcome", "status", "error")
EARLIEST_NS, LATEST_NS = 0, 2**62
"""Times are nanoseconds since the epoch: 1970 to 2116."""


@dataclass(slots=True)
class Options:
    """What a person says of the load that no file says.

    `timeout_s`: the time-out of the script's requests, which k6 leaves out where no connection was made. `only`: requests
    whose name it matches, `writes`: those that write, where the tool does not tell the method.
    """

    timeout_s: float | None = None
    only: re.Pattern[str] | None = None
    writes: re.Pattern[str] | None = None
    columns: dict[str, str] = field(default_factory=dict)
    unit: str = "ns"


@dataclass(slots=True)
class Imported:
    """Requests of one tool, in columns; times are nanoseconds since the epoch, cut to whole `resolution_ns`.

    `timed_at`: which of its times the tool wrote, the other being that and a duration.
    `knows_intended`: the file says when each request was due. `active`: how many clients there were, each time that the
    file says it. `missing`: a sentence for each part of the load that the file says was sent and does not hold.
    """

    tool: str
    path: Path
    options: Options
    resolution_ns: int = 1
    timed_at: str = "began_ns"
    knows_intended: bool = False
    active: list[tuple[int, int]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    op: list[str] = field(default_factory=list)
    cohort: list[str] = field(default_factory=list)
    intended_ns: list[int] = field(default_factory=list)
    began_ns: list[int] = field(default_factory=list)
    ended_ns: list[int] = field(default_factory=list)
    outcome: list[str] = field(default_factory=list)
    status: list[int | None] = field(default_factory=list)
    error: list[str | None] = field(default_factory=list)
    key: list[int] = field(default_factory=list)

    def add(
        self,
        kind: str,
        name: str,
        cohort: str,
        began_ns: int,
        ended_ns: int,
        *,
        ok: bool,
        status: int,
        error: str,
        intended_ns: int | None = None,
        key: int | None = None,
    ) -> str | None:
        """Add a request; returns what is wrong with it, None where nothing is.

        `status` is 0 where there was no answer, `intended_ns` None where nobody knows when it was due.
        """
        if self.options.only is not None and not self.options.only.search(name):
            return None
        if not EARLIEST_NS < began_ns <= ended_ns < LATEST_NS:
            return f"has a request from {began_ns} to {ended_ns} ns since 1970, which cannot be"
        if len(self.op) >= MOST_ROWS:
            return f"is one more than the {MOST_ROWS:,} requests that are read"
        if intended_ns is not None and not EARLIEST_NS < intended_ns < LATEST_NS:
            return f"has a request that was due {intended_ns} ns since 1970, which cannot be"
        if kind == REQUEST and self.options.writes is not None:
            kind = "write" if self.options.writes.search(name) else "read"
        outcome, what = judged(ok, status or None, error)
        self.op.append(kind)
        self.cohort.append(cohort)
        self.intended_ns.append(began_ns if intended_ns is None else intended_ns)
        self.began_ns.append(began_ns)
        self.ended_ns.append(ended_ns)
        self.outcome.append(outcome)
        self.status.append(status or None)
        self.error.append(what)
        self.key.append(len(self.key) if key is None else key)
        return None

    def clients(self, until_ns: int) -> int | None:
        """How many there were on average until then; None where the file does not say."""
        told = sorted(x for x in self.active if x[0] < until_ns)
        if not told:
            return None
        ends = [*(at for at, _ in told[1:]), until_ns]
        total = sum(count * (end - at) for (at, count), end in zip(told, ends, strict=True))
        return max(1, total // max(1, until_ns - told[0][0]))

    def dropped(self, cohort: str, at_ns: int, count: int) -> None:
        """Add `count` requests that the tool should have sent and had no client for."""
        for _ in range(min(count, MOST_ROWS - len(self.op))):
            self.op.append(REQUEST)
            self.cohort.append(cohort)
            self.intended_ns.append(at_ns)
            self.began_ns.append(at_ns)
            self.ended_ns.append(at_ns)
            self.outcome.append(Outcome.FAIL)
            self.status.append(None)
            self.error.append("client_overload")
            self.key.append(len(self.key))

    def frame(self) -> pl.DataFrame:
        """The ops, times since the epoch; raises UnusableInput where there is none.

        Those of one instant that is not told more exactly are set apart within it, in the file's order: ops of one client that
        are due at the same nanosecond would count as one request (drill.measure.requests), and a load as stopped meanwhile.
        """
        if not self.op:
            raise UnusableInput(f"{self.path} holds no request: give the whole file, and mend --only if you gave one")
        columns = {name: getattr(self, name) for name in COLUMNS}
        frame = pl.DataFrame(columns, schema={name: OPS_SCHEMA[name] for name in COLUMNS})
        if self.knows_intended:
            return frame
        same = pl.len().over(self.timed_at)
        apart = pl.int_range(pl.len()).over(self.timed_at) * self.resolution_ns // same
        began = pl.col("began_ns") + apart
        return frame.with_columns(intended_ns=began, began_ns=began, ended_ns=pl.col("ended_ns") + apart)
