"""Locust: the file of its `CsvRequestLogger` (locust.contrib.csv_request_logger), one row a request.

The files of `--csv` hold counts and percentiles of whole seconds: with them nobody can say when a request began, nor whether the
last bad one came before the first good one. They are refused by their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from drill.imports.imported import Imported, Options
from drill.imports.outcome import kind_of
from drill.imports.source import refuse_line, rows_of
from drill.records import NS
from drill.unusable import UnusableInput

COLUMNS = (
    "timestamp",
    "request_type",
    "name",
    "response_time_ms",
    "response_length",
    "status_code",
    "exception",
)
AGGREGATES = {
    ("Timestamp", "User Count"): "_stats_history.csv",
    ("Type", "Name"): "_stats.csv",
    ("Method", "Name"): "_failures.csv",
}
RESOLUTION_NS = 10_000
"""A response time is rounded to 0.01 ms."""


def read(path: Path, options: Options) -> Imported:
    """Read it; raises UnusableInput, naming the line."""
    found = Imported("locust", path, options, resolution_ns=RESOLUTION_NS)
    rows = rows_of(path)
    _, header = next(rows, (0, []))
    if tuple(header) != COLUMNS:
        raise UnusableInput(f"{path} line 1 is not the header of Locust's CsvRequestLogger: give the file it wrote")
    for number, row in rows:
        if len(row) != len(COLUMNS):
            refuse_line(path, number, f"has {len(row)} fields, not {len(COLUMNS)}")
        began, method, name, took, _, status, exception = row
        if not took:
            refuse_line(path, number, "has no response time, so nobody knows when it ended")
        try:
            seconds, _, fraction = began.partition(".")
            began_ns = int(seconds) * NS + int(fraction[:9].ljust(9, "0"))
            ended_ns = began_ns + round(float(took) * NS / 1000)
            code = int(status)
        except (ValueError, OverflowError):
            refuse_line(path, number, "has a time, a response time or a status that is no number")
        # a status of 0 without an exception is a protocol of its own, which succeeded
        ok = not exception and (code == 0 or 200 <= code < 400)
        wrong = found.add(kind_of(method), name, "locust", began_ns, ended_ns, ok=ok, status=code, error=exception)
        if wrong:
            refuse_line(path, number, wrong)
    return found


def is_requests(header: Sequence[str]) -> bool:
    """Whether a CSV file of that header is the request logger's."""
    return tuple(header) == COLUMNS


def refuse_aggregates(path: Path, header: Sequence[str]) -> None:
    """Raise UnusableInput where the file is one of `--csv`."""
    kind = AGGREGATES.get((header[0], header[1])) if len(header) > 1 else None
    if kind is None:
        return
    raise UnusableInput(
        f"{path} is Locust's {kind}, which holds counts and percentiles but no single request, so it proves no recovery "
        "time: record each request with locust.contrib.csv_request_logger (docs/import.md) and give that file"
    )
