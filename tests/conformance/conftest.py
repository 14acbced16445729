"""The same checks on every control plane there is, and a table of what came out: service x behaviour x backend.

A check on a backend *holds*, *differs* (it fails), or is *not offered* (the backend says that it has no such service).
What is known to differ is in differences.json with its reason; it must go on differing, or the entry has to go.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.backends import (
    LOCALSTACK_URLS,
    Backend,
    endpoint,
    known,
    localstack,
    not_offered,
)
from tests.conformance.table import Cell, Table
from tests.infra_fixtures.conftest import planned_layout, run_control_plane

EMBEDDED = "embedded"
TABLE = pytest.StashKey[Table]()
Names = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """An empty table; unusable endpoints are refused before anything runs."""
    config.stash[TABLE] = Table()
    _others(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each check once for each backend."""
    if "aws" in metafunc.fixturenames:
        backends = [EMBEDDED, *(b.name for b in _others(metafunc.config))]
        metafunc.parametrize("aws", backends, indirect=True, scope="session")


@pytest.fixture(scope="session")
def embedded() -> Iterator[Backend]:
    """An embedded control plane, started once for all checks."""
    with planned_layout() as layout:
        for running in run_control_plane(layout):
            urls = {r.name: r.aws.url for r in running.regions} | {"global": running.global_aws.url}
            yield Backend(EMBEDDED, urls, running.credentials.user, known(EMBEDDED))


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest) -> Backend:
    """The control plane under test."""
    if request.param == EMBEDDED:
        embedded: Backend = request.getfixturevalue("embedded")
        return embedded
    return next(b for b in _others(request.config) if b.name == request.param)


@pytest.fixture
def unique() -> Names:
    """A maker of names that nothing else has: `unique("bucket")`."""
    suffix = uuid.uuid4().hex[:10]
    return lambda stem: f"{stem}-{suffix}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Tell a service that is not offered, and a difference that is known, from one that is not; fill the table."""
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    aws = getattr(item, "funcargs", {}).get("aws")
    if not isinstance(aws, Backend) or not (report.when == "call" or (report.when == "setup" and call.excinfo)):
        return
    check = str(getattr(item, "originalname", item.name)).removeprefix("test_")
    cell, why = Cell.HOLDS, ""
    if call.excinfo is not None:
        missing = not_offered(call.excinfo.value)
        expected = aws.differs.get(check)
        cell = Cell.NOT_OFFERED if missing else Cell.DIFFERS
        why = missing or expected or str(call.excinfo.value).partition("\n")[0]
        # What we run ourselves must offer everything.
        if expected or (missing and aws.name != EMBEDDED):
            report.outcome, report.wasxfail = "skipped", f"{cell.value}: {why}"
    elif check in aws.differs:
        report.outcome = "failed"
        report.longrepr = f"{check} holds on {aws.name} now: take it out of differences.json"
    service = Path(str(item.path)).stem.removeprefix("test_")
    behaviour = check.replace("_s_", "'s ").replace("_", " ")
    item.config.stash[TABLE].put(service, behaviour, aws.name, cell, why)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, where only these checks were asked for; else its last line."""
    table = config.stash[TABLE]
    if not table:
        return
    here = Path(__file__).parent
    alone = all(Path(a.partition("::")[0]).resolve().is_relative_to(here) for a in config.args)
    for line in table.lines() if alone else table.lines()[-1:]:
        terminalreporter.write_line(line)
    if not any(b.name == "localstack" for b in _others(config)):
        terminalreporter.write_line(f"localstack was not asked: {LOCALSTACK_URLS} is not set")


def _others(config: pytest.Config) -> list[Backend]:
    given = config.getoption("--endpoint-url")
    found = [localstack(), endpoint(given) if given else None]
    return [b for b in found if b is not None]
