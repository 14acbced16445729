"""The real terminal under pytest, whose capture otherwise swallows what is printed while a test runs."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from rich.console import Console


def real_console(config: Any = None) -> Console:
    """A console on the terminal itself; `config` is pytest's, None outside pytest.

    pytest captures by pointing file descriptor 1 elsewhere for the length of a test (docs.pytest.org, "How to capture
    stdout/stderr output"); a duplicate taken while capture is off goes on pointing at the terminal. The line pytest
    left unfinished (`test_x.py::test_y `) is ended first.
    """
    manager = None if config is None else config.pluginmanager.getplugin("capturemanager")
    if manager is None:
        return _on(sys.__stdout__)
    with manager.global_and_fixture_disabled():
        reporter = config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.flush()
        return _on(sys.stdout)


def _on(stream: TextIO | None) -> Console:
    try:
        descriptor = os.dup(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        descriptor = None
    if descriptor is None:
        return Console(file=stream)
    return Console(file=os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", buffering=1))
