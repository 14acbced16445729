"""A Parquet file read into the columns a record has: bounded in memory, every column of the unit and type it must have.

What can be converted without loss is (a wider integer, a whole float, a dictionary of words). All else is refused by the
column's name, for a cast would turn microseconds into nanoseconds and half a key into a whole one. How many rows and bytes
reading would take is asked of the footer before anything is read.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from drill.parquet_footer import FooterError, read_footer
from drill.plain_file import opened
from drill.unusable import UnusableInput

MOST_ROWS = 10_000_000
"""Ten million requests are most of three hours at 1,000 a second, and about 2 GB once they are judged."""
MOST_BYTES = 2**30
"""The same for the bytes of all columns before compression."""
TIMES = "_ns"
STRING_TYPES = (pl.String, pl.Categorical, pl.Enum)


def read_columns(path: Path, schema: pl.Schema, later: Collection[str]) -> pl.DataFrame | None:
    """The columns of `schema` and no others, null in those `later` ones that the file lacks; None where there is no such file.

    Raises UnusableInput, naming file and column.
    """
    with opened(path) as file:
        if file is None:
            return None
        try:
            footer = read_footer(file)
            if footer.rows > MOST_ROWS or footer.uncompressed_bytes > MOST_BYTES:
                raise UnusableInput(
                    f"{path} would take {footer.rows:,} rows and {footer.uncompressed_bytes / 2**20:,.0f} MiB; at most "
                    f"{MOST_ROWS:,} rows and {MOST_BYTES // 2**20:,} MiB are read: give the records of a shorter drill"
                )
            file.seek(0)
            # From memory and not by its path: Polars takes brackets and stars in a path for a pattern.
            content = file.read(MOST_BYTES)
            there = pl.scan_parquet(content).collect_schema()
            lacking = [name for name in schema if name not in there and name not in later]
            if lacking:
                raise UnusableInput(f"{path}: the column {lacking[0]} is missing: restore the file or remove it")
            found = pl.scan_parquet(content).select(name for name in schema if name in there).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, FooterError, OSError) as e:
            first_line = str(e).partition("\n")[0]
            raise UnusableInput(
                f"{path} is not the Parquet file this drill writes ({first_line}): restore it or remove it"
            ) from e
    return pl.DataFrame(
        [
            _converted(found[name], kind, path) if name in there else pl.Series(name, [None] * found.height, kind)
            for name, kind in schema.items()
        ]
    )


def _converted(column: pl.Series, kind: pl.DataType, path: Path) -> pl.Series:
    if column.dtype in (kind, pl.Null):
        return column.cast(kind)
    unit = " of nanoseconds" if column.name.endswith(TIMES) else ""
    refused = UnusableInput(
        f"{path}: the column {column.name} is {column.dtype}, not {kind}{unit}: write it in that type"
    )
    if kind == pl.String:
        if not isinstance(column.dtype, STRING_TYPES):
            raise refused
        return column.cast(kind)
    if unit or not column.dtype.is_numeric() or column.dtype.is_decimal():
        raise refused
    converted = column.cast(kind, strict=False)
    if (
        kind.is_integer()
        and (
            changed := column.filter((converted.cast(column.dtype) != column).fill_null(True) & column.is_not_null())
        ).len()
    ):
        raise UnusableInput(f"{path}: the column {column.name} holds {changed[0]}, which is no {kind}: mend that value")
    return converted
