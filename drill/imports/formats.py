"""Which tool wrote a file, told by how it begins; a file of none is refused in one sentence."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

from drill.imports import gatling, jmeter, k6, locust, table, vegeta
from drill.imports.imported import Imported, Options
from drill.imports.source import head_of
from drill.unusable import UnusableInput

Reader = Callable[[Path, Options], Imported]
RECORDS = "ops"
READERS: Mapping[str, Reader] = {
    "k6-json": k6.read_json,
    "k6-csv": k6.read_csv,
    "locust": locust.read,
    "jmeter-csv": jmeter.read_csv,
    "jmeter-xml": jmeter.read_xml,
    "vegeta-json": vegeta.read_json,
    "vegeta-csv": vegeta.read_csv,
    "gatling": gatling.read,
    "table": lambda path, options: table.read(path, options, parquet=False),
    "table-parquet": lambda path, options: table.read(path, options, parquet=True),
}
TOOLS = ("auto", "k6", "locust", "jmeter", "vegeta", "gatling", "table", RECORDS)
"""What may be said of a file; of a tool's several forms the file's own beginning tells which it is."""


def form_of(path: Path, tool: str, options: Options) -> str:
    """A name of READERS, or RECORDS for an ops.parquet; raises UnusableInput."""
    head = head_of(path)
    form = _told(path, head, options)
    if tool == "table":
        return "table-parquet" if head.startswith(table.PARQUET) else "table"
    if form is None:
        raise UnusableInput(
            f"{path} is no result that is known here (k6, Locust, JMeter, vegeta, Gatling, ops.parquet): see docs/import.md"
        )
    if tool not in ("auto", form.partition("-")[0]):
        raise UnusableInput(f"{path} is a file of {form}, not of {tool}: leave --format out, or mend it")
    return form


def _told(path: Path, head: bytes, options: Options) -> str | None:
    if head.startswith(table.PARQUET):
        return RECORDS if table.is_records(path) and not options.columns else "table-parquet"
    if options.columns:
        return "table"
    gatling.refuse_binary(path, head)
    if b"Result" in head and b"Timestamp" in head and b"Latency" in head and b"\x00" in head:
        raise UnusableInput(
            f"{path} is vegeta's binary encoding: write it as text with `vegeta encode --to json {path.name}` and give that"
        )
    for begin, form in (
        (b'{"type":"Metric"', "k6-json"),
        (b'{"metric":', "k6-json"),
        (b'{"attack":', "vegeta-json"),
        (b"RUN\t", "gatling"),
        (b"ASSERTION\t", "gatling"),
    ):
        if head.startswith(begin):
            return form
    if head.lstrip().startswith(b"<") and b"<testResults" in head:
        return "jmeter-xml"
    return _told_csv(path, head)


def _told_csv(path: Path, head: bytes) -> str | None:
    first = head.partition(b"\n")[0].decode("utf-8", "replace").strip("\r")
    try:
        header = next(csv.reader([first]), [])
    except csv.Error:
        return None
    if not header:
        return None
    locust.refuse_aggregates(path, header)
    jmeter.refuse_headless(path, header)
    for form, is_it in (
        ("k6-csv", k6.is_csv),
        ("locust", locust.is_requests),
        ("jmeter-csv", jmeter.is_csv),
        ("vegeta-csv", vegeta.is_csv),
    ):
        if is_it(header):
            return form
    return None
