"""The columns in which records of one kind are kept, read off the struct that is such a record."""

from __future__ import annotations

import enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import polars as pl

from drill.records import Bits, fields_of

KINDS: dict[type, type[pl.DataType]] = {str: pl.String, int: pl.Int64, float: pl.Float64}
INTEGERS: dict[Bits, type[pl.DataType]] = {Bits(16): pl.Int16, Bits(32): pl.Int32}


def schema_of(record: type[msgspec.Struct]) -> pl.Schema:
    """The columns of such records, in the order of the struct's fields."""
    return pl.Schema({name: _column(kind) for name, kind in fields_of(record).items()})


def _column(kind: Any) -> type[pl.DataType]:
    if get_origin(kind) is Annotated:
        inner, *said = get_args(kind)
        return next((INTEGERS[s] for s in said if s in INTEGERS), None) or _column(inner)
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (k for k in get_args(kind) if k is not NoneType)
        return _column(inner)
    return pl.String if issubclass(kind, enum.StrEnum) else KINDS[kind]
