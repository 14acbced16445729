"""The real terminal under pytest, whose capture otherwise swallows what is printed while a test runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console


@contextlib.contextmanager
def real_console(config: Any = None) -> Iterator[Console]:
    """A console on the terminal itself, for as long as this lasts; `config` is pytest's, None outside pytest.

    pytest captures by pointing file descriptor 1 elsewhere for the length of a test (docs.pytest.org, "How to capture
    stdout/stderr output"); a duplicate taken while capture is off goes on pointing at the terminal. The line pytest
    left unfinished (`test_x.py::test_y `) is ended first.
    """
    manager = None if config is None else config.pluginmanager.getplugin("capturemanager")
    if manager is None:
        own = _duplicate(sys.__stdout__)
    else:
        with manager.global_and_fixture_disabled():
            reporter = config.pluginmanager.getplugin("terminalreporter")
            if reporter is not None:
                reporter.ensure_newline()
                reporter.flush()
            own = _duplicate(sys.stdout)
    if own is None:
        yield Console(file=sys.stdout)
        return
    try:
        yield Console(file=own)
    finally:
        with contextlib.suppress(OSError):  # of a terminal that went away
            own.close()


def _duplicate(stream: TextIO | None) -> TextIO | None:
    try:
        descriptor = os.dup(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        descriptor = None
    return None if descriptor is None else os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1)
