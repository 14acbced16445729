"""Files of a load tool made into one history, with a record of what was imported, so that anybody can do the same again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from drill.history import OPS_SCHEMA, History, completed
from drill.imported_load import EVENT, ImportedLoad
from drill.imports import formats, table
from drill.imports.aws_log import Told
from drill.imports.imported import Imported, Options
from drill.imports.instant import Instant
from drill.imports.marks import BEGIN, Span, marks_of, utc
from drill.plain_file import opened
from drill.records import NS, Mark, Sample
from drill.unusable import UnusableInput

RECORD = "import.json"
OPEN_BY_NATURE = ("vegeta",)
"""Tools that never wait for an answer before they send again."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of the files.

    `loop`: "open", "closed", or "" where the tool alone tells it. `clock_error_s`: by how much the clock of the load tool's
    machine may differ from that of the marks.
    """

    tool: str
    loop: str
    only_rto: bool
    clock_error_s: float
    options: Options
    marks: Sequence[tuple[str, Instant, str]]
    log: Told | None = None
    t0: Instant | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A history that can be judged, and import.json."""

    history: History
    record: dict[str, Any]

    def save(self, directory: Path) -> None:
        """Write the records; raises UnusableInput where there are records already."""
        if any((directory / name).exists() for name in ("ops.parquet", RECORD)):
            raise UnusableInput(f"{directory} holds records already: give a new directory")
        try:
            self.history.save(directory)
            whole = msgspec.json.format(msgspec.json.encode(self.record), indent=2)
            (directory / RECORD).write_bytes(whole + b"\n")
        except OSError as e:
            raise UnusableInput(
                f"{directory} cannot be written ({e.strerror}): give a directory that you may write"
            ) from e


def bundled(paths: Sequence[Path], said: Said) -> Bundle:
    """Read the files; raises UnusableInput."""
    frames: list[pl.DataFrame] = []
    read: list[Imported] = []
    tools: set[str] = set()
    for path in paths:
        form = formats.form_of(path, said.tool, said.options)
        tools.add(form)
        if form == formats.RECORDS:
            frames.append(_records(path, said.t0))
            continue
        found = formats.READERS[form](path, said.options)
        frame = found.frame()
        frames.append(frame.with_columns(cohort=path.stem + ":" + pl.col("cohort")) if len(paths) > 1 else frame)
        read.append(found)
    if len(tools) > 1:
        raise UnusableInput(f"the files are of {', '.join(sorted(tools))}: give those of one tool at a time")
    (form,) = tools
    tool = form.partition("-")[0]
    ops = completed(pl.concat(frames, how="vertical_relaxed"), OPS_SCHEMA)
    closed = said.loop != "open" and not (said.loop == "" and tool in OPEN_BY_NATURE)
    resolution_ns = max((x.resolution_ns for x in read), default=1)
    error_ns = round(said.clock_error_s * NS)
    span = _span(ops, resolution_ns, error_ns)
    marks = marks_of(span, list(said.marks), said.log)
    struck_ns = next((m.at_ns for m in marks if m.event == BEGIN), span.last_ns)
    clients = [x.clients(struck_ns) for x in read]
    load = ImportedLoad(
        closed=closed,
        clients=None if not clients or None in clients else sum(n for n in clients if n is not None),
        intended=all(x.knows_intended for x in read),
        only_rto=said.only_rto,
        missing=tuple(sentence for x in read for sentence in x.missing),
    )
    marks.append(Mark(span.first_ns, EVENT, tool, load.detail()))
    rounded_s = resolution_ns / NS
    history = _since(span.first_ns // NS * NS, ops, marks, rounded_s, tool)
    record = {
        "tool": tool,
        "format": form,
        "files": [_digest(path) for path in paths],
        "t0": utc(span.first_ns // NS * NS),
        "requests": ops.height,
        "from": utc(span.first_ns),
        "to": utc(span.last_ns),
        "resolution_s": resolution_ns / NS,
        "clock_error_s": said.clock_error_s,
        "load": load,
        "only_rto": said.only_rto,
        "timeout_s": said.options.timeout_s,
        "only": said.options.only.pattern if said.options.only else None,
        "writes": said.options.writes.pattern if said.options.writes else None,
        "columns": said.options.columns,
    }
    return Bundle(history, record)


def _records(path: Path, t0: Instant | None) -> pl.DataFrame:
    """ops.parquet counts from its run's t0, which run.json of its run has."""
    ops = table.read_records(path)
    if not ops.height:
        raise UnusableInput(f"{path} holds no request: give the whole file")
    first = ops["began_ns"].min()
    if t0 is None and isinstance(first, int) and first < 10**17:
        raise UnusableInput(f"{path} counts its times from a t0 that it does not hold: give it with --t0")
    since = t0.ns if t0 is not None else 0
    times = [c for c in OPS_SCHEMA if c.endswith("_ns")]
    if any(abs(ops[c].cast(pl.Float64).abs().max() or 0) + since > 2**62 for c in times):  # type: ignore[operator, arg-type]
        raise UnusableInput(f"{path} has times beyond the year 2116: mend them, or --t0")
    return ops.with_columns(pl.col(c) + since for c in times)


def _span(ops: pl.DataFrame, resolution_ns: int, error_ns: int) -> Span:
    sound = ops.drop_nulls(["intended_ns", "began_ns", "ended_ns"])
    if not sound.height:
        raise UnusableInput("no request in the file has a begin and an end: give the whole file")
    sent = sound.filter(pl.col("error").ne_missing("client_overload"))
    sent = sent if sent.height else sound
    first, last, ended, took = sent.select(
        pl.col("intended_ns").min(),
        pl.col("began_ns").max(),
        pl.col("ended_ns").max().alias("ended"),
        (pl.col("ended_ns") - pl.col("began_ns")).max().alias("took"),
    ).row(0)
    return Span(first, last, max(first, min(last, ended - took) - resolution_ns), error_ns + resolution_ns, error_ns)


def _since(t0_ns: int, ops: pl.DataFrame, marks: Iterable[Mark], rounded_s: float, tool: str) -> History:
    times = [c for c in OPS_SCHEMA if c.endswith("_ns")]
    moved = tuple(Mark(m.at_ns - t0_ns, m.event, m.subject, m.detail) for m in marks)
    rounded = History.of(samples=[Sample(0, "clock_offset_s", tool, rounded_s)]).samples
    return History(ops=ops.with_columns(pl.col(c) - t0_ns for c in times), marks=moved, samples=rounded)


def _digest(path: Path) -> dict[str, Any]:
    """Of the file as it lies there, packed or not."""
    digest, size = hashlib.sha256(), 0
    with opened(path) as file:
        assert file is not None
        while block := file.read(2**20):
            digest.update(block)
            size += len(block)
    return {"name": path.name, "bytes": size, "sha256": digest.hexdigest()}
