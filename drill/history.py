"""What happened: ops as clients saw them, marks of what the system did, gauge samples, and what survived.

Every time in a history is an int of nanoseconds since the run's t0, on one monotonic clock; UTC appears
only in run.json.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import polars as pl

from drill.parquet_file import read_columns
from drill.plain_file import read_bytes
from drill.unusable import UnusableInput

NS = 1_000_000_000


class Outcome(enum.StrEnum):
    """What a client may say of an op; UNKNOWN means it may or may not have happened."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Op(msgspec.Struct, frozen=True):
    """One effect a client asked for, as the client saw it.

    `op` is read, write, put_object, ...; `key` identifies what was written or read; `intended_ns` is when the open-loop
    schedule wanted it to start, `began_ns` when it did, `ended_ns` when the client had its answer; `region` is the
    one that says it served it; `error` is a short class of failure, never a secret. `store` names where a write goes
    (aurora, s3; None: as drill.measure.ledger.STORES says of its kind), `content` is the checksum (drill.content) of what
    it carried.
    A request with two effects (an order with a receipt) is two ops with the same times: write and put_object.
    """

    op: str
    key: int
    cohort: str
    intended_ns: int
    began_ns: int
    ended_ns: int
    outcome: Outcome
    region: str | None = None
    status: int | None = None
    error: str | None = None
    store: str | None = None
    content: int | None = None


class Mark(msgspec.Struct, frozen=True):
    """Something that happened to the system at `at_ns`: the event's name, its subject (who) and detail (what)."""

    at_ns: Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
    event: str
    subject: str = ""
    detail: str = ""


class Sample(msgspec.Struct, frozen=True):
    """A gauge read: `metric` carries its unit in its name (replication_lag_s), `subject` says of what (aurora, s3)."""

    at_ns: int
    metric: str
    subject: str
    value: float


class Survivor(msgspec.Struct, frozen=True):
    """One key found in a surviving store (aurora or s3), with how many copies of it stand there.

    `region` is where it was read, `content` is the checksum (drill.content) of what was found; None where nobody looked.
    """

    store: str
    key: int
    copies: int
    at_ns: int
    region: str | None = None
    content: int | None = None


OPS_SCHEMA = pl.Schema(
    {
        "op": pl.String,
        "key": pl.Int64,
        "cohort": pl.String,
        "intended_ns": pl.Int64,
        "began_ns": pl.Int64,
        "ended_ns": pl.Int64,
        "outcome": pl.String,
        "region": pl.String,
        "status": pl.Int16,
        "error": pl.String,
        "store": pl.String,
        "content": pl.Int64,
    }
)
SAMPLES_SCHEMA = pl.Schema({"at_ns": pl.Int64, "metric": pl.String, "subject": pl.String, "value": pl.Float64})
SURVIVORS_SCHEMA = pl.Schema(
    {
        "store": pl.String,
        "key": pl.Int64,
        "copies": pl.Int32,
        "at_ns": pl.Int64,
        "region": pl.String,
        "content": pl.Int64,
    }
)
OPTIONAL = frozenset({"store", "region", "content"})
"""Columns that older records may lack: nobody looked, so they are null. (An op's region was there from the first.)"""


def completed(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The frame in the order and types of `schema`, null in those OPTIONAL columns that it lacks."""
    lacking = [pl.lit(None, schema[c]).alias(c) for c in schema if c in OPTIONAL and c not in frame.columns]
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
            ops=read_columns(directory / "ops.parquet", OPS_SCHEMA, OPTIONAL),
            marks=_read_marks(directory / "marks.jsonl"),
            samples=read_columns(directory / "samples.parquet", SAMPLES_SCHEMA, OPTIONAL),
            survivors=read_columns(directory / "survivors.parquet", SURVIVORS_SCHEMA, OPTIONAL),
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
