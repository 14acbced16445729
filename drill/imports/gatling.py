"""Gatling: `simulation.log` in the text form of Gatling 3.4 to 3.12 (gatling-core, LogFileDataWriter).

A line is tab-separated: `REQUEST, groups, name, start, end, OK|KO, message`, times in milliseconds since the epoch; a line
`USER, scenario, START|END, time` tells how many users there were. Since 3.13 the file is binary: refused.
"""

from __future__ import annotations

import re
from pathlib import Path

from drill.imports.imported import Imported, Options
from drill.imports.instant import epoch_ms
from drill.imports.outcome import REQUEST
from drill.imports.source import lines_of, refuse_line
from drill.records import NS
from drill.unusable import UnusableInput

MS = NS // 1000
FIELDS = 7
STATUS = re.compile(r"found (\d{3})$")
"""How the message of the status check ends: "status.find.in(200,201,...), but actually found 503"."""
OTHERS = ("ASSERTION", "GROUP", "ERROR")
BINARY = b"\x00\x00\x00\x00"
"""A binary log begins with the header byte of a run, 0, and the length of the version's name."""


def read(path: Path, options: Options) -> Imported:
    """Read it; raises UnusableInput, naming the line."""
    found = Imported("gatling", path, options, resolution_ns=MS)
    users = 0
    for number, line in lines_of(path):
        kind, *fields = line.decode("utf-8", "replace").split("\t")
        if number == 1 and kind not in ("RUN", "ASSERTION"):
            refuse_line(path, number, "is not how a simulation.log begins")
        if kind == "REQUEST":
            _add(found, number, fields)
        elif kind == "USER":
            if len(fields) != 3 or fields[1] not in ("START", "END"):
                refuse_line(path, number, "is no USER line of Gatling 3.4 or later")
            at = epoch_ms(fields[2])
            if at is None:
                refuse_line(path, number, "has no time in milliseconds")
            users += 1 if fields[1] == "START" else -1
            found.active.append((at, users))
        elif kind == "RUN" and number > 1 and found.op:
            refuse_line(path, number, "begins another run")
        elif kind not in ("RUN", *OTHERS):
            refuse_line(path, number, f"is of no kind that Gatling writes ({kind[:20]!r})")
    return found


def _add(found: Imported, number: int, fields: list[str]) -> None:
    if len(fields) != FIELDS - 1:
        refuse_line(found.path, number, f"has {len(fields) + 1} fields, not {FIELDS}")
    groups, name, start, end, word, message = fields
    began, ended = epoch_ms(start), epoch_ms(end)
    if began is None or ended is None or word not in ("OK", "KO"):
        refuse_line(found.path, number, "has no start or end in milliseconds, or neither OK nor KO")
    told = STATUS.search(message)
    status = int(told[1]) if told else 0
    label = f"{groups}/{name}" if groups else name
    wrong = found.add(REQUEST, label, "gatling", began, ended, ok=word == "OK", status=status, error=message.strip())
    if wrong:
        refuse_line(found.path, number, wrong)


def refuse_binary(path: Path, head: bytes) -> None:
    """Raise UnusableInput where the file is a binary simulation.log."""
    length = int.from_bytes(head[1:5], "big")
    version = head[5 : 5 + length]
    if head[:3] == BINARY[:3] and 0 < length < 40 and re.match(rb"\d+\.\d+", version):
        raise UnusableInput(
            f"{path} is the binary simulation.log of Gatling {version.decode('latin-1')}, which that version alone can "
            "read: drive the load with Gatling 3.12, which writes text, or write each request to a CSV file and give it "
            "with --format table"
        )
