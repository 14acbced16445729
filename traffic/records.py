"""What a load generator recorded, kept as columns, and the spool file from which it can be read when all else died."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from drill.history import OPS_SCHEMA, Mark, Op, Sample
from drill.unusable import UnusableInput
from traffic import frames

CHUNK = 65_536
"""Columns are packed into a frame every so many ops: Python lists of millions would cost ten times the memory."""


@dataclass(slots=True)
class Records:
    """Everything recorded so far; not thread-safe. `finished` are the workers' last words."""

    marks: list[Mark] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    started: list[frames.Started] = field(default_factory=list)
    finished: list[frames.Finished] = field(default_factory=list)
    _columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in OPS_SCHEMA})
    _packed: list[pl.DataFrame] = field(default_factory=list)
    _packed_ops: int = 0

    @property
    def count(self) -> int:
        """How many ops there are."""
        return self._packed_ops + len(self._columns["op"])

    def add(self, frame: frames.Frame) -> None:
        """Take one frame in."""
        match frame:
            case frames.Ops():
                for name, column in self._columns.items():
                    column.extend(frame.column(name))
                if len(self._columns["op"]) >= CHUNK:
                    self._pack()
            case frames.Marked():
                self.marks.append(frame.mark)
            case frames.Sampled():
                self.samples.append(frame.sample)
            case frames.Started():
                self.started.append(frame)
            case frames.Finished():
                self.finished.append(frame)

    def ops(self) -> pl.DataFrame:
        """The ops, in the order in which they arrived, with drill.history.OPS_SCHEMA."""
        return pl.concat([*self._packed, pl.DataFrame(self._columns, schema=OPS_SCHEMA)])

    def _pack(self) -> None:
        self._packed.append(pl.DataFrame(self._columns, schema=OPS_SCHEMA))
        self._packed_ops += len(self._columns["op"])
        self._columns = {name: [] for name in OPS_SCHEMA}


def as_ops(frame: frames.Ops) -> Sequence[Op]:
    """A frame's ops as words rather than columns."""
    return [Op(*row) for row in zip(*map(frame.column, Op.__struct_fields__), strict=True)]


def read_spool(path: Path) -> Records:
    """Read the spool of a generator, however it ended; a half-written last frame is left out.

    Raises UnusableInput where the file is missing or is no spool.
    """
    try:
        buffer = bytearray(path.read_bytes())
    except OSError as e:
        raise UnusableInput(f"the spool {path} cannot be read ({e.strerror}): name a spool that a run wrote") from e
    records = Records()
    try:
        for frame in frames.split(buffer):
            records.add(frames.decode(frame[frames.LENGTH.size :]))
    except frames.NotFrames as e:
        raise UnusableInput(f"{path} is not a spool of load records ({e}): name a spool that a run wrote") from e
    return records


OnOps = Callable[[Sequence[Op]], None]
