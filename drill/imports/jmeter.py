"""JMeter: JTL files, CSV or XML (org.apache.jmeter.save.CSVSaveService and SampleResultConverter).

`timeStamp` is when a sample began, in milliseconds, as JMeter's own jmeter.properties sets it (sampleresult.timestamp.start). JTL
says nothing of the HTTP method. The sum that a transaction controller adds is no request and is left out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from drill.imports.imported import Imported, Options
from drill.imports.instant import epoch_ms
from drill.imports.outcome import REQUEST
from drill.imports.source import DAMAGED, content_of, refuse_damaged, refuse_line, rows_of
from drill.records import NS
from drill.unusable import UnusableInput

MS = NS // 1000
NEEDED = ("timeStamp", "elapsed", "success")
SLACK_NS = 5 * MS
"""Both ends of a sample are cut to milliseconds, and a clock is set now and then."""
SUM = "Number of samples in transaction"
"""How the response message of a transaction controller's sample begins."""
SAMPLES = ("sample", "httpSample")
NAMES = {
    "timeStamp": "ts",
    "elapsed": "t",
    "label": "lb",
    "responseCode": "rc",
    "responseMessage": "rm",
    "threadName": "tn",
    "success": "s",
    "allThreads": "na",
}
"""The attributes of XML by the columns of CSV."""


def read_csv(path: Path, options: Options) -> Imported:
    """Read a CSV file with its header line; raises UnusableInput, naming the line."""
    found = _nothing(path, options)
    ends: dict[str, int] = {}
    rows = rows_of(path)
    _, header = next(rows, (0, []))
    delimiter = _delimiter(header)
    if delimiter != ",":
        rows = rows_of(path, delimiter)
        _, header = next(rows)
    lacking = [name for name in NEEDED if name not in header]
    if lacking:
        raise UnusableInput(
            f"{path} line 1 names no column {lacking[0]}: let JMeter write the header line and that column "
            "(-Jjmeter.save.saveservice.print_field_names=true)"
        )
    places = [(name, header.index(name)) for name in NAMES if name in header]
    for number, row in rows:
        if len(row) != len(header):
            refuse_line(path, number, f"has {len(row)} fields, not {len(header)}")
        _add(found, f"line {number}", {name: row[place] for name, place in places}, ends)
    return found


def read_xml(path: Path, options: Options) -> Imported:
    """Read an XML file; raises UnusableInput, naming the line."""
    found = _nothing(path, options)
    ends: dict[str, int] = {}
    depth, root = 0, None
    sums: set[int] = set()
    with content_of(path) as file:
        try:
            for event, element in ET.iterparse(file, events=("start", "end")):
                if event == "start":
                    depth += 1
                    root = element if root is None else root
                    if element.tag in SAMPLES and element.get("rm", "").startswith(SUM):
                        sums.add(depth)
                    if element.tag in SAMPLES and all(above in sums for above in range(2, depth)) and depth not in sums:
                        said = {name: element.get(short, "") for name, short in NAMES.items()}
                        _add(found, f"sample {len(found.op) + 1}", said, ends)
                    continue
                sums.discard(depth)
                depth -= 1
                element.clear()
                if depth == 1 and root is not None:
                    root.clear()  # else it keeps an empty child for each sample
        except ET.ParseError as e:
            line = e.position[0]
            raise UnusableInput(f"{path} line {line} is not XML ({e}): give the whole file, to its end tag") from e
        except DAMAGED as e:
            refuse_damaged(path, e)
    return found


def _nothing(path: Path, options: Options) -> Imported:
    # both ends of a sample are whole milliseconds
    return Imported("jmeter", path, options, resolution_ns=MS)


def _add(found: Imported, where: str, said: Mapping[str, str], ends: dict[str, int]) -> None:
    """Add a sample; `ends`: when the last one of each thread ended, for a thread does one thing at a time."""
    if said.get("responseMessage", "").startswith(SUM):
        return
    at_ns = epoch_ms(said["timeStamp"])
    elapsed = said["elapsed"]
    if at_ns is None or not elapsed.isdecimal() or len(elapsed) > 12 or said["success"] not in ("true", "false"):
        raise UnusableInput(
            f"{found.path} {where} has no time in milliseconds, no elapsed time or no success: let JMeter write them "
            "(-Jjmeter.save.saveservice.timestamp_format=ms)"
        )
    code = said.get("responseCode", "")
    status = int(code) if code.isdecimal() and len(code) == 3 else 0
    text = "" if status else f"{code} {said.get('responseMessage', '')}"
    label = said.get("label", "")
    group = said.get("threadName", "").rpartition(" ")[0] or "jmeter"
    ended_ns = at_ns + int(elapsed) * MS
    thread = said.get("threadName", "")
    if thread and at_ns + SLACK_NS < ends.get(thread, 0):
        raise UnusableInput(
            f"{found.path} {where} begins before the sample before it of the thread {thread[:60]} has ended: its times are those "
            "of the ends; let JMeter write when samples began (-Jsampleresult.timestamp.start=true)"
        )
    ends[thread] = ended_ns
    wrong = found.add(REQUEST, label, group, at_ns, ended_ns, ok=said["success"] == "true", status=status, error=text)
    if wrong:
        raise UnusableInput(f"{found.path} {where} {wrong}: take it out")
    threads = said.get("allThreads", "")
    if threads.isdecimal() and len(threads) < 9:
        found.active.append((ended_ns, int(threads)))


def _delimiter(header: Sequence[str]) -> str:
    if len(header) != 1:
        return ","
    return next((c for c in "\t;|" if c in header[0]), ",")


def is_csv(header: Sequence[str]) -> bool:
    """Whether a CSV file of that header is JMeter's."""
    named = header[0].split(_delimiter(header)) if len(header) == 1 else header
    return "timeStamp" in named and "elapsed" in named


def refuse_headless(path: Path, first: Sequence[str]) -> None:
    """Raise UnusableInput where the first record is a sample, as JMeter before 3.0 writes it unless it is told otherwise."""
    if len(first) > 3 and epoch_ms(first[0]) is not None and first[1].isdecimal() and {"true", "false"} & set(first):
        raise UnusableInput(
            f"{path} has no header line, so nobody can say which column is which: let JMeter write it "
            "(-Jjmeter.save.saveservice.print_field_names=true), or put it above the first line"
        )
