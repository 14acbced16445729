"""How a process ended, in words that go into records and reports, so without anything that may be a secret."""

from __future__ import annotations

import re
import signal
from pathlib import Path

LONGEST = 200
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
NAMED = re.compile(r"(?i)((?:passw(?:or)?d|secret|token|key)\S*?\s*[=:]\s*)\S+")
"""A value whose name says that it is one."""
IN_URL = re.compile(r"(?<=://)[^@\s/]+@")
TOKEN = re.compile(r"(?=[A-Za-z_+/=-]*\d)[A-Za-z0-9_+/=-]{20,}")
"""What keys, tokens and passwords look like: long, and not of letters alone."""


def how_ended(pid: int, status: int | None, log: Path | None = None) -> str:
    """The process, what ended it, and the last line of its log."""
    end = "ended" if status is None else f"ended with exit status {status}"
    if status is not None and status < 0:
        end = f"was killed by {_signal(-status)}"
    return f"process {pid} {end}" + (f"; its last words: {last_line(log)}" if log is not None else "")


def last_line(log: Path) -> str:
    """The last line of a log, cut short, with quoted text and whatever looks like a key left out."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    if not lines:
        return "(none)"
    return TOKEN.sub("...", NAMED.sub(r"\1...", IN_URL.sub("...@", QUOTED.sub("'...'", lines[-1]))))[:LONGEST]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
