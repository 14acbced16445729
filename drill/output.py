"""What the commands say is UTF-8, whatever encoding the host's environment asks for: a path may hold any letter."""

from __future__ import annotations

import io
import sys


def speak_utf8() -> None:
    """Let standard output and error take every character; bytes of a path that are no text are shown as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
