"""Applications from PyPI in two places over one store, as nobody here wrote them; each is described by a contract alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from drill.wait import wait_until
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.run_layout import Address, RunLayout
from tests.attached.name_servers import program
from tests.workload import kinto
from tests.workload.installation import programs_of

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
    observed: str = ""
    """The page that an observer looks at, where it is not that of health."""
    state: dict[str, Any] = field(default_factory=dict)
    """What a controller must know beside how the primary is started."""
    databases: dict[str, str] = field(default_factory=dict)
    """By site: its table in the description."""
    stays: bool = False
    """Whether something of the primary goes on answering, so that sticky clients never leave it."""
    pids: dict[str, Path] = field(default_factory=dict)

    def mobile(self, schedule: str) -> str:
        """A schedule with clients that leave the primary."""
        return schedule.replace("fresh = 0.2, sticky = 0.2", "fresh = 0.4") if self.stays else schedule


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
def kinto_over_a_pair(layout: RunLayout, directory: Path) -> Iterator[Application]:
    """A Kinto in each place over a PostgreSQL of its own, the standby's a copy of the primary's, each behind HAProxy."""
    one = kinto.Kinto(layout)
    sites = {"left": layout.primary, "right": layout.standby}
    state = _pair_state(layout, directory, one.password)
    pair = [sys.executable, str(Path(__file__).with_name("pair.py")), str(directory / "pair.json")]
    (directory / "pair.json").write_text(json.dumps(state))
    try:
        subprocess.run([*pair, "start"], check=True, timeout=120)
        one.migrate()
        with _haproxy(layout, directory):
            application = Application(
                one.address.port,
                {site.edge.host: one.command(site.gateway, site.node) for site in sites.values()},
                _over_rows(KINTO.read_text()),
                "/v1/__lbheartbeat__",
                {"KINTO_AUTHORIZATION": one.authorization, "PAIR_PASSWORD": one.password},
                observed="/v1/__heartbeat__",
                state={"promote": [*pair, "promote"], "rebuild": [*pair, "rebuild"]},
                stays=True,
                databases={name: _database_table(name, site.node) for name, site in sites.items()},
            )
            application.state["postmaster"] = str(Path(state["left"]["data"], "postmaster.pid"))
            with _serving(application, directory):
                one.create_collections()
                yield application
    finally:
        subprocess.run([*pair, "stop"], check=False, timeout=120)


def _pair_state(layout: RunLayout, directory: Path, password: str) -> dict[str, Any]:
    work_dir = Path(layout.work_dir)
    _, uid = locate(work_dir)
    work_dir.chmod(0o711)  # PostgreSQL's user has to get through
    home = work_dir / "pair"
    home.mkdir()
    for name, text in (("password", password), ("pgpass", f"*:*:*:*:{password}\n")):
        (home / name).write_text(text)
        (home / name).chmod(0o600)
        os.chown(home / name, -1 if uid is None else uid, -1)
    os.chown(home, -1 if uid is None else uid, -1)
    nodes = {
        name: {"host": node.host, "port": node.port, "data": str(home / name), "log": str(home / f"{name}.log")}
        for name, node in (("left", layout.primary.node), ("right", layout.standby.node))
    }
    programs = Path(program("pg_basebackup", "postgresql-15", "/usr/lib/postgresql/15/bin")).resolve().parent
    return {
        "bin": str(programs), "uid": uid, "home": str(home), "user": kinto.USER, "password_file": str(home / "password"),
        "passfile": str(home / "pgpass"), "log": str(directory / "pair.log"), **nodes,
    }  # fmt: skip


def _over_rows(contract: str) -> str:
    """Kinto's description, with survivors read from its table, and no heartbeats: lag is read from the databases."""
    head = contract.replace('region = "here"\n', "").partition("[beat]")[0].replace("__heartbeat__", "__lbheartbeat__")
    sql = (
        "SELECT id::bigint, (data->>'amount')::bigint, count(*) FROM objects WHERE resource_name = 'record' AND "
        "parent_id = '/buckets/drill/collections/orders' GROUP BY 1, 2"
    )
    return f'{head}[survivors.rows]\nsql = """{sql}"""\n'


def _database_table(site: str, node: Address) -> str:
    place = "primary" if site == "left" else "standby"
    return (
        f'[{place}.database]\nhost = "{node.host}"\nport = {node.port}\ndbname = "{kinto.DATABASE}"\n'
        f'user = "{kinto.USER}"\npassword_env = "PAIR_PASSWORD"\n'
    )


@contextlib.contextmanager
def _haproxy(layout: RunLayout, directory: Path) -> Iterator[None]:
    """Debian's HAProxy at both users' addresses, each leading to the Kinto of its place while that is healthy."""
    sites = "".join(
        f"listen {name}\n  bind {site.edge.host}:{site.edge.port}\n  option httpchk GET /v1/__lbheartbeat__\n"
        f"  server kinto {site.gateway.host}:{site.gateway.port} check inter 200ms fall 2 rise 1\n"
        for name, site in (("left", layout.primary), ("right", layout.standby))
    )
    times = "  timeout connect 1s\n  timeout client 10s\n  timeout server 10s\n"
    (directory / "haproxy.cfg").write_text(f"defaults\n  mode http\n  retries 0\n{times}{sites}")
    with (directory / "haproxy.log").open("wb") as log:
        proxy = subprocess.Popen(
            [program("haproxy", "haproxy"), "-db", "-f", str(directory / "haproxy.cfg")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        proxy.terminate()
        proxy.wait(timeout=10)


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
