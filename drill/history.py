"""What happened: ops as clients saw them, marks of what the system did, gauge samples, and what survived.

Every time in a history is an int of nanoseconds since the run's t0, on one monotonic clock; UTC appears
only in run.json. The fields of Op, Sample and Survivor are the columns of their files (drill.columns).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from drill.columns import schema_of
from drill.parquet_file import read_columns
from drill.plain_file import read_bytes
from drill.records import NS, Mark, Op, Outcome, Sample, Survivor, later
from drill.unusable import UnusableInput

__all__ = ["NS", "History", "Mark", "Op", "Outcome", "Sample", "Survivor", "completed"]

OPS_SCHEMA = schema_of(Op)
SAMPLES_SCHEMA = schema_of(Sample)
SURVIVORS_SCHEMA = schema_of(Survivor)
LATER_COLUMNS = later(Op) | later(Sample) | later(Survivor)


def completed(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The frame in the order and types of `schema`, null in those LATER_COLUMNS that it lacks."""
    lacking = [pl.lit(None, schema[c]).alias(c) for c in schema if c in LATER_COLUMNS and c not in frame.columns]
    whole = frame.with_columns(lacking) if lacking else frame
    return whole if whole.schema == schema else whole.select(list(schema)).cast(schema)


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one drill; None is an absent proof (never an empty one)."""

    ops: pl.DataFrame | None = None
    marks: tuple[Mark, ...] | None = None
    samples: pl.DataFrame | None = None
    survivors: pl.DataFrame | None = None

    @classmethod
    def of(
        cls,
        ops: Iterable[Op] | None = None,
        marks: Iterable[Mark] | None = None,
        samples: Iterable[Sample] | None = None,
        survivors: Iterable[Survivor] | None = None,
    ) -> History:
        """Build a history from words rather than columns; None stays an absent proof."""
        return cls(
            ops=None if ops is None else _frame(ops, OPS_SCHEMA),
            marks=None if marks is None else tuple(marks),
            samples=None if samples is None else _frame(samples, SAMPLES_SCHEMA),
            survivors=None if survivors is None else _frame(survivors, SURVIVORS_SCHEMA),
        )

    def save(self, directory: Path) -> None:
        """Write ops.parquet, marks.jsonl, samples.parquet and survivors.parquet; an absent proof leaves no file."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.ops is not None:
            self.ops.write_parquet(directory / "ops.parquet", compression="zstd")
        if self.marks is not None:
            (directory / "marks.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(self.marks))
        if self.samples is not None:
            self.samples.write_parquet(directory / "samples.parquet", compression="zstd")
        if self.survivors is not None:
            self.survivors.write_parquet(directory / "survivors.parquet", compression="zstd")

    @classmethod
    def load(cls, directory: Path) -> History:
        """Read what is there; an absent file is an absent proof, a damaged one raises UnusableInput naming it."""
        return cls(
            ops=read_columns(directory / "ops.parquet", OPS_SCHEMA, later(Op)),
            marks=_read_marks(directory / "marks.jsonl"),
            samples=read_columns(directory / "samples.parquet", SAMPLES_SCHEMA, later(Sample)),
            survivors=read_columns(directory / "survivors.parquet", SURVIVORS_SCHEMA, later(Survivor)),
        )

    @classmethod
    def load_marks(cls, directory: Path) -> History:
        """The marks alone."""
        return cls(marks=_read_marks(directory / "marks.jsonl"))

    def first_mark(self, event: str) -> Mark | None:
        """The earliest mark of that event, or None."""
        return min((m for m in self.marks or () if m.event == event), key=lambda m: m.at_ns, default=None)


def _frame(rows: Iterable[msgspec.Struct], schema: pl.Schema) -> pl.DataFrame:
    values = [msgspec.structs.astuple(r) for r in rows]
    return pl.DataFrame(values, schema=schema, orient="row")


def _read_marks(path: Path) -> tuple[Mark, ...] | None:
    content = read_bytes(path)
    if content is None:
        return None
    try:
        return tuple(msgspec.json.Decoder(Mark).decode_lines(content))
    except (msgspec.MsgspecError, RecursionError) as e:
        raise UnusableInput(f"{path} is not a JSON-lines file of marks ({e}): restore it or remove it") from e
