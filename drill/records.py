"""What is recorded of a drill, one struct a kind: an op, a mark, a sample, a survivor.

The fields of Op, Sample and Survivor are the columns of their files (drill.columns) and of what travels (traffic.frames):
a column is declared here and nowhere else. This module is without Polars, for load generators import it too.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import msgspec

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bits:
    """An integer's column is kept in so many bits; without it, in 64."""

    bits: int


LATER = "later"
"""Marks a field that was not there from the first, `Annotated[T | None, LATER] = None`: older files lack its column, and it is
null there, because nobody looked."""


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
    status: Annotated[int, Bits(16)] | None = None
    error: str | None = None
    store: Annotated[str | None, LATER] = None
    content: Annotated[int | None, LATER] = None


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
    copies: Annotated[int, Bits(32)]
    at_ns: int
    region: Annotated[str | None, LATER] = None
    content: Annotated[int | None, LATER] = None


def fields_of(record: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of such records with their annotated types, in order."""
    hints = get_type_hints(record, include_extras=True)
    return {name: hints[name] for name in record.__struct_fields__}


def later(record: type[msgspec.Struct]) -> frozenset[str]:
    """The fields that older records of this kind may lack."""
    return frozenset(name for name, kind in fields_of(record).items() if LATER in getattr(kind, "__metadata__", ()))
