"""A pytest plugin: notes after each drill what the process holds, and ends with the table of it.

    python -m pytest scenarios -p benchmarks.measuring.held_by_drills --holdings FILE -k SCENARIO --repeat 60

FILE gets a line of JSON for each drill (`Holdings`), as soon as its system is torn down.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from benchmarks.measuring.growth import WIDTH, table
from tests.holdings import Holdings

NOTED = pytest.StashKey[list[Holdings]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to."""
    parser.addoption("--holdings", type=Path, required=True, help="JSON lines: what the process held after each drill")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing noted yet."""
    config.stash[NOTED] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Look once the drill, its system and its report are done with."""
    from gameday.plugin import GAME_DAY  # not before pytest has loaded it as a plugin

    result = yield
    held = Holdings.of(item.config.stash[GAME_DAY].run.run_id)
    item.config.stash[NOTED].append(held)
    with item.config.getoption("--holdings").open("ab") as file:
        file.write(msgspec.json.encode(held) + b"\n")
    return result


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was held after each drill, and by how much it grew."""
    noted = config.stash[NOTED]
    if noted:
        shown = io.StringIO()
        Console(file=shown, width=WIDTH).print(table(noted, "drill"))
        terminalreporter.write(shown.getvalue())
