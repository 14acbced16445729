"""Applications from PyPI in two places over one store, as nobody here wrote them; each is described by a contract alone."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from tests.installation import programs_of
from tests.workload import kinto

DATASETTE_SETTINGS = """
databases:
  orders:
    tables:
      orders:
        permissions:
          insert-row: true
settings:
  max_returned_rows: 100000
"""
DATASETTE = """
name = "Datasette"

[write]
path = "/orders/orders/-/insert"
body = { row = { key = "{key}", amount = "{content}" }, return = true }
answer = { key = "/rows/0/key", content = "/rows/0/amount" }

[read]
path = "/orders/orders/{key}.json"
answer = { key = "/rows/0/key", content = "/rows/0/amount" }

[health]
path = "/-/versions.json"

[survivors.listing]
path = "/orders/orders.json?_size=max"
items = "/rows"
content = "/amount"
"""
KINTO = Path(kinto.__file__).with_name("kinto.toml")


@dataclass(slots=True)
class Application:
    """It serves at both addresses: how each is started, its contract, its page of health, and what its clients must know."""

    port: int
    start: dict[str, list[str]]
    contract: str
    health: str
    environment: dict[str, str] = field(default_factory=dict)
    pids: dict[str, Path] = field(default_factory=dict)


@contextlib.contextmanager
def datasette(layout: RunLayout, directory: Path) -> Iterator[Application]:
    """Two Datasettes over one SQLite database."""
    database = directory / "orders.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE orders (key INTEGER PRIMARY KEY, amount INTEGER)")
    settings = directory / "datasette.yaml"
    settings.write_text(DATASETTE_SETTINGS)
    program = str(programs_of("datasette") / "datasette")
    port = layout.primary.edge.port
    start = {
        host: [program, "serve", str(database), "-h", host, "-p", str(port), "-c", str(settings)]
        for host in (layout.primary.edge.host, layout.standby.edge.host)
    }
    with _serving(Application(port, start, DATASETTE, "/-/versions.json"), directory) as application:
        yield application


@contextlib.contextmanager
def kintos(layout: RunLayout, directory: Path) -> Iterator[Application]:
    """Two Kintos over one PostgreSQL."""
    one = kinto.Kinto(layout)
    with kinto.postgresql(layout, one.password):
        one.migrate()
        start = {edge.host: one.command(edge) for edge in (layout.primary.edge, layout.standby.edge)}
        contract = KINTO.read_text().replace('region = "here"\n', "")
        environment = {"KINTO_AUTHORIZATION": one.authorization}
        application = Application(one.address.port, start, contract, "/v1/__lbheartbeat__", environment)
        with _serving(application, directory):
            one.create_collections()
            yield application


@contextlib.contextmanager
def _serving(application: Application, directory: Path) -> Iterator[Application]:
    """Both are up; whoever runs at the end, also if somebody else started it, is ended."""
    try:
        for host, command in application.start.items():
            with (directory / f"{host}.log").open("ab") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
            application.pids[host] = directory / f"{host}.pid"
            application.pids[host].write_text(str(process.pid))
        for host in application.start:
            wait_until(lambda h=host: _answers(application, h), what=f"{host} to answer", timeout_s=60)  # type: ignore[misc]
        yield application
    finally:
        for path in application.pids.values():
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)


def _answers(application: Application, host: str) -> bool:
    url = f"http://{host}:{application.port}{application.health}"
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return int(urllib3.request("GET", url, retries=False, timeout=2.0).status) == 200
    return False
