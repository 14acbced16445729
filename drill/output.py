"""What the commands say is UTF-8, whatever encoding the host's environment asks for, and nothing but text."""

from __future__ import annotations

import io
import sys


def speak_utf8() -> None:
    """Let standard output and error take every character; bytes of a path that are no text are shown as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def plain(text: object) -> str:
    """A text for a terminal: characters that would move its cursor, colour it or reorder it are shown as escapes.

    Names of files, journals and records are anybody's to choose: an escape sequence in one, or a line break, would let it say
    something else in the harness's name. What is one text is one line.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in str(text)
    )
