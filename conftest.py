"""Command-line options and the list of plugins; nothing else."""

from __future__ import annotations

import pytest

from gameday.options import add_options

pytest_plugins = ("gameday.fresh_start", "gameday.repeating", "gameday.plugin")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a game day can be told (DESIGN: Contract)."""
    add_options(parser.getgroup("failover drill").addoption)
    group = parser.getgroup("conformance")
    group.addoption("--endpoint-url", help="also run tests/conformance against this loopback endpoint of an AWS API")
