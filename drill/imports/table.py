"""A table of requests of any tool, CSV or Parquet, by the names that a person gives its columns.

ops.parquet of this harness needs no names: it says when each request was due, and is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from drill.history import OPS_SCHEMA
from drill.imports.imported import Imported, Options
from drill.imports.outcome import kind_of
from drill.imports.source import refuse_line, rows_of
from drill.parquet_file import MOST_BYTES, MOST_ROWS, read_columns
from drill.parquet_footer import FooterError, read_footer
from drill.plain_file import opened
from drill.records import NS, Op, later
from drill.unusable import UnusableInput

UNITS = {"s": NS, "ms": NS // 1000, "us": 1000, "ns": 1}
ROLES = ("began", "intended", "ended", "duration", "ok", "status", "error", "method", "op", "name", "cohort", "key")
GOOD = {"true": True, "1": True, "ok": True, "false": False, "0": False, "ko": False, "fail": False}
PARQUET = b"PAR1"


def read_records(path: Path) -> pl.DataFrame:
    """ops.parquet of the contract, times as they stand; raises UnusableInput, naming the column."""
    found = read_columns(path, OPS_SCHEMA, later(Op))
    if found is None:
        raise UnusableInput(f"there is no file {path}: give an ops.parquet")
    return found


def is_records(path: Path) -> bool:
    """Whether the Parquet file has the columns of ops.parquet."""
    return {"began_ns", "ended_ns", "intended_ns", "outcome"} <= set(_parquet(path).columns)


def read(path: Path, options: Options, *, parquet: bool) -> Imported:
    """Read a table by `options.columns` (role to name of column); raises UnusableInput, naming line and column."""
    named = options.columns
    if (
        "began" not in named
        or not ("ended" in named or "duration" in named)
        or not ("ok" in named or "status" in named)
    ):
        raise UnusableInput(
            f"{path}: say which columns hold what, with --column began=NAME, --column ended=NAME or --column "
            f"duration=NAME, and --column ok=NAME or --column status=NAME (also: {', '.join(ROLES)})"
        )
    found = Imported("table", path, options, resolution_ns=UNITS[options.unit], knows_intended="intended" in named)
    for number, row in _parquet_rows(path, named, options.unit) if parquet else _csv_rows(path, named):
        _add(found, number, row, UNITS[options.unit])
    return found


def _add(found: Imported, number: int, row: Mapping[str, str], unit_ns: int) -> None:
    try:
        began_ns = _ns(row["began"], unit_ns)
        ended_ns = _ns(row["ended"], unit_ns) if "ended" in row else began_ns + _ns(row["duration"], unit_ns)
        intended_ns = _ns(row["intended"], unit_ns) if "intended" in row else None
        status = int(float(row.get("status") or 0))
        key = int(row["key"]) if "key" in row else None
    except (ValueError, OverflowError) as e:
        refuse_line(found.path, number, f"has a value that is no number ({str(e)[:60]})")
    told = GOOD.get(row["ok"].lower()) if "ok" in row else 200 <= status < 400
    if told is None:
        refuse_line(found.path, number, f"says {row['ok'][:20]!r}, which is neither true nor false")
    kind = row.get("op") or kind_of(row.get("method", ""))
    status = status if 100 <= status < 1000 else 0
    wrong = found.add(
        kind, row.get("name", ""), row.get("cohort") or "table", began_ns, ended_ns,
        ok=told, status=status, error=row.get("error", ""), intended_ns=intended_ns, key=key,
    )  # fmt: skip
    if wrong:
        refuse_line(found.path, number, wrong)


def _ns(text: str, unit_ns: int) -> int:
    """Exactly, for a float has too few digits for nanoseconds since 1970."""
    whole, _, fraction = text.strip().partition(".")
    digits = fraction[:9].ljust(9, "0")
    if not (whole.lstrip("-").isdecimal() and digits.isdecimal()) or len(whole) > 20:
        raise ValueError(text)
    return int(whole) * unit_ns + int(digits) * unit_ns // NS


def _csv_rows(path: Path, named: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
    rows = rows_of(path)
    _, header = next(rows, (0, []))
    _refuse_unknown(path, named, header)
    places = [(role, header.index(name)) for role, name in named.items()]
    for number, row in rows:
        if len(row) != len(header):
            refuse_line(path, number, f"has {len(row)} fields, not {len(header)}")
        yield number, {role: row[place] for role, place in places}


def _parquet_rows(path: Path, named: Mapping[str, str], unit: str) -> Iterator[tuple[int, dict[str, str]]]:
    frame = _parquet(path)
    _refuse_unknown(path, named, frame.columns)
    chosen = frame.select(_in_unit(frame[name], unit).alias(role) for role, name in named.items())
    for number, row in enumerate(chosen.iter_rows(named=True), start=1):
        yield number, {role: _text(value) for role, value in row.items()}


def _in_unit(column: pl.Series, unit: str) -> pl.Series:
    """Points in time and durations as numbers of the unit that the person named for the table."""
    per = UNITS[unit]
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("ns") // per
    if isinstance(column.dtype, pl.Duration):
        return column.dt.total_nanoseconds() // per
    return column


def _parquet(path: Path) -> pl.DataFrame:
    with opened(path) as file:
        if file is None:
            raise UnusableInput(f"there is no file {path}: give the results that a load tool wrote")
        try:
            footer = read_footer(file)
            if footer.rows > MOST_ROWS or footer.uncompressed_bytes > MOST_BYTES:
                raise UnusableInput(f"{path} has more than {MOST_ROWS:,} rows or 1 GiB: give a shorter table")
            file.seek(0)
            return pl.read_parquet(file.read(MOST_BYTES))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, FooterError, OSError) as e:
            raise UnusableInput(f"{path} is no Parquet file that can be read ({str(e)[:80]}): restore it") from e


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _refuse_unknown(path: Path, named: Mapping[str, str], there: list[str]) -> None:
    for role, name in named.items():
        if role not in ROLES:
            raise UnusableInput(f"--column {role}={name}: there is no {role}; known are {', '.join(ROLES)}")
        if name not in there:
            raise UnusableInput(f"{path} has no column {name}: it has {', '.join(there)[:300]}")
