"""Command-line options and the list of plugins; nothing else."""

from __future__ import annotations

import pytest

from infra_fixtures.targets import TARGETS, add_options
from traffic.load_options import add_load_options

pytest_plugins = ("scenarios.repeating", "scenarios.stage")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a game day can be told (DESIGN: Contract)."""
    group = parser.getgroup("failover drill")
    group.addoption("--target", default="embedded", help=f"where the system stands: {', '.join(TARGETS)}")
    group.addoption(
        "--pace",
        default="10",
        help="how many times faster than AWS's the embedded timers run; 1 is AWS's own (default 10)",
    )
    group.addoption(
        "--objectives", default="objectives.toml", help="TOML file of recovery objectives (default objectives.toml)"
    )
    group.addoption("--runs-dir", default="reports/runs", help="where records of runs are kept (default reports/runs)")
    add_options(group.addoption)
    group.addoption("--repeat", default="1", help="run each scenario so many times, on fresh topologies (default 1)")
    group.addoption("--workers", default="0", help="share the load among so many Locust workers here (default 0: none)")
    group.addoption(
        "--workers-elsewhere", default="0", help="... and so many, to be started on other machines as printed"
    )
    group.addoption(
        "--workers-at",
        default="127.0.0.1:0",
        help="HOST:PORT by which other machines reach this one, and the port after it (default 127.0.0.1:0, any free)",
    )
    add_load_options(parser.getgroup("load of a drill").addoption)
    group = parser.getgroup("conformance")
    group.addoption("--endpoint-url", help="also run tests/conformance against this loopback endpoint of an AWS API")
