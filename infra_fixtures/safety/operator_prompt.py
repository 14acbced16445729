"""Asks the person at the terminal to do something and say when: the time is taken when the Enter key is pressed.

The controlling terminal is asked, whatever standard input and output are. Without one nobody can be asked, and nothing is
taken for done.
"""

from __future__ import annotations

import os
import select
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infra_fixtures.powers import Instant

TERMINAL = "/dev/tty"


class NoOperator(Exception):
    """There is no terminal at which a person could be asked, or nobody answered in time."""


@dataclass(frozen=True, slots=True)
class Said:
    """When a person pressed Enter, in time.monotonic_ns()."""

    at_ns: int


def has_terminal() -> bool:
    """Whether a person can be asked."""
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask(what: str, *, effect: str, timeout_s: float) -> Instant:
    """Have a person do `what`: they say when they begin, and when `effect` is so. Raises NoOperator."""
    if not has_terminal():
        raise NoOperator(f"there is no terminal to ask a person at; do it by hand: {what}")
    with Path(TERMINAL).open("r+b", buffering=0) as terminal:
        ends_s = time.monotonic() + timeout_s
        began = _pressed(terminal, f"\r\n>>> {what}\r\n    Press Enter at the moment you begin: ", what, ends_s)
        done = _pressed(terminal, f"    Press Enter as soon as {effect}: ", what, ends_s)
        terminal.write(b"    Noted.\r\n")
    return Instant(began.at_ns, done.at_ns)


def _pressed(terminal: IO[bytes], prompt: str, what: str, ends_s: float) -> Said:
    termios.tcflush(terminal, termios.TCIFLUSH)  # what was typed before it was asked is no answer
    terminal.write(prompt.encode())
    while (left_s := ends_s - time.monotonic()) > 0:
        if select.select([terminal], [], [], min(left_s, 1.0))[0]:
            line = terminal.read(1024)
            at_ns = time.monotonic_ns()
            if not line:
                raise NoOperator(f"the terminal was closed; do it by hand: {what}")
            if b"\n" in line or b"\r" in line:
                return Said(at_ns)
    raise NoOperator(f"nobody pressed Enter in time; do it by hand: {what}")
