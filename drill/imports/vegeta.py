"""Vegeta: `vegeta encode --to json` and `--to csv` (lib/results.go); its own binary form is refused.

A timestamp is when the hit really began. Vegeta is an open loop, yet when a hit was due is not written. `seq` counts the hits
of an attack, so one that has no record is known to be missing.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from pathlib import Path

import msgspec

from drill.imports.imported import Imported, Options
from drill.imports.instant import Instant
from drill.imports.outcome import kind_of
from drill.imports.source import lines_of, refuse_line, rows_of

FIELDS = 12
MOST_MISSING = 10_000_000


class _Hit(msgspec.Struct, frozen=True):
    attack: str
    seq: int
    code: int
    timestamp: str
    latency: int
    error: str = ""
    method: str = ""
    url: str = ""


def read_json(path: Path, options: Options) -> Imported:
    """Read `--to json`; raises UnusableInput, naming the line."""
    found = Imported("vegeta", path, options)
    decoder = msgspec.json.Decoder(_Hit)
    numbers: dict[str, set[int]] = defaultdict(set)
    for number, line in lines_of(path):
        try:
            hit = decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            refuse_line(path, number, f"is no result of vegeta ({e})")
        at = Instant.read(hit.timestamp)
        if at is None:
            refuse_line(path, number, f"has the time {hit.timestamp[:40]!r}, which is none")
        _add(found, number, hit, at.ns, numbers)
    _note_missing(found, numbers)
    return found


def read_csv(path: Path, options: Options) -> Imported:
    """Read `--to csv`; raises UnusableInput, naming the line."""
    found = Imported("vegeta", path, options)
    numbers: dict[str, set[int]] = defaultdict(set)
    for number, row in rows_of(path):
        if len(row) != FIELDS:
            refuse_line(path, number, f"has {len(row)} fields, not {FIELDS}")
        at, code, latency, _, _, error, _, attack, seq, method, url, _ = row
        try:
            hit = _Hit(attack, int(seq), int(code), "", int(latency), error, method, url)
            at_ns = int(at)
        except ValueError:
            refuse_line(path, number, "has a time, a code, a latency or a number that is none")
        _add(found, number, hit, at_ns, numbers)
    _note_missing(found, numbers)
    return found


def _add(found: Imported, line: int, hit: _Hit, at_ns: int, numbers: dict[str, set[int]]) -> None:
    ok = 200 <= hit.code < 400 and not hit.error
    name = f"{hit.method} {hit.url}".strip()
    ended_ns = at_ns + hit.latency
    cohort = hit.attack or "vegeta"
    status = hit.code if 0 <= hit.code < 1000 else 0
    wrong = found.add(kind_of(hit.method), name, cohort, at_ns, ended_ns, ok=ok, status=status, error=hit.error)
    if wrong:
        refuse_line(found.path, line, wrong)
    numbers[cohort].add(hit.seq)


def _note_missing(found: Imported, numbers: dict[str, set[int]]) -> None:
    for attack, seen in numbers.items():
        missing = max(seen) - min(seen) + 1 - len(seen)
        if missing > 0:
            found.missing.append(f"{missing} hits of the attack {attack} have no record")


def is_csv(row: list[str]) -> bool:
    """Whether a CSV file that begins with that record is vegeta's, which has no header."""
    if len(row) != FIELDS or not all(row[i].isdecimal() for i in (0, 1, 2, 3, 4, 8)):
        return False
    try:
        base64.b64decode(row[6], validate=True)
    except ValueError:
        return False
    return True
