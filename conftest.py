"""Command-line options and the list of plugins; nothing else."""

from __future__ import annotations

import pytest

pytest_plugins = ("scenarios.stage",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a game day can be told (DESIGN: Contract)."""
    group = parser.getgroup("failover drill")
    group.addoption("--target", default="embedded", help="where the system stands: embedded")
    group.addoption(
        "--pace",
        default="10",
        help="how many times faster than AWS's the embedded timers run; 1 is AWS's own (default 10)",
    )
    group.addoption(
        "--objectives", default="objectives.toml", help="TOML file of recovery objectives (default objectives.toml)"
    )
    group.addoption("--runs-dir", default="reports/runs", help="where records of runs are kept (default reports/runs)")
    group = parser.getgroup("conformance")
    group.addoption("--endpoint-url", help="also run tests/conformance against this loopback endpoint of an AWS API")
