"""Kinto over PostgreSQL, both real processes on this machine, for as long as a test lasts."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import urllib3

from drill.parts import Effect
from drill.wait import wait_until
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.run_layout import Address, RunLayout, child_environment
from infra_fixtures.targets.world import Endpoint
from tests.workload.installation import kinto_programs

HERE = "here"
USER, DATABASE = "kinto", "postgres"
BACKEND = "kinto.core.{part}.postgresql"
SETTINGS = """
[server:main]
use = egg:waitress#main
listen = {host}:{port}
threads = 8

[app:main]
use = egg:kinto
multiauth.policies = basicauth
kinto.bucket_create_principals = system.Authenticated
kinto.userid_hmac_secret = {secret}
kinto.storage_backend = kinto.core.storage.postgresql
kinto.permission_backend = kinto.core.permission.postgresql
kinto.cache_backend = kinto.core.cache.postgresql
kinto.storage_url = {database}
kinto.permission_url = {database}
kinto.cache_url = {database}
"""


@dataclass(slots=True)
class Kinto:
    """The application; `kill` and `start` are what a fault and whoever restarts it do."""

    layout: RunLayout
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    programs: Path = field(default_factory=kinto_programs)
    _server: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.layout.primary.edge

    @property
    def authorization(self) -> str:
        """The header that lets clients in."""
        return "Basic " + base64.b64encode(f"drill:{self.password}".encode()).decode()

    @property
    def endpoint(self) -> Endpoint:
        """As probes reach it."""
        return Endpoint(self.address.url, {"authorization": self.authorization})

    def database(self) -> psycopg.Connection:
        """A connection to its PostgreSQL, past it."""
        node = self.layout.primary.node
        return psycopg.connect(
            host=node.host, port=node.port, user=USER, dbname=DATABASE, password=self.password, autocommit=True
        )

    def command(self, at: Address, node: Address | None = None) -> list[str]:
        """What starts one that listens there, over the PostgreSQL at `node` (default: the primary's)."""
        return [str(self.programs / "pserve"), str(self._settings(at, node))]

    def start(self) -> None:
        """Start it; it answers some seconds later."""
        with (Path(self.layout.work_dir) / "kinto.log").open("ab") as log:
            self._server = subprocess.Popen(
                self.command(self.address),
                env=child_environment(self.layout),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL."""
        assert self._server is not None
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def await_up(self) -> None:
        """Return when it answers."""
        wait_until(lambda: self._asked("GET", "__heartbeat__") == 200, what="Kinto to answer", timeout_s=60)

    def create_collections(self) -> None:
        """What the drill writes to; whoever creates a bucket may write to it."""
        for path in ("buckets/drill", "buckets/drill/collections/orders", "buckets/drill/collections/beats"):
            assert self._asked("PUT", path) in (200, 201)

    def delete(self, keys: Iterable[int]) -> int:
        """Delete records behind its back; returns how many there were."""
        with self.database() as connection:
            found = connection.execute(
                "DELETE FROM objects WHERE parent_id = '/buckets/drill/collections/orders' AND id = ANY(%s)",
                [[str(key) for key in keys]],
            )
            return found.rowcount

    @contextlib.contextmanager
    def killed(self) -> Iterator[Effect]:
        """A fault: it is killed, and started again at once by whoever looks after it; healed when it answers."""
        began_ns = time.monotonic_ns()
        self.kill()
        ended_ns = time.monotonic_ns()
        self.start()
        try:
            yield Effect("process_killed", HERE, began_ns, ended_ns)
        finally:
            self.await_up()

    def _settings(self, at: Address, node: Address | None = None) -> Path:
        node = node or self.layout.primary.node
        path = Path(self.layout.work_dir) / f"kinto-{at.host}.ini"
        path.touch(mode=0o600)
        path.write_text(
            SETTINGS.format(
                host=at.host,
                port=at.port,
                secret=self.password,
                database=f"postgresql://{USER}:{self.password}@{node.host}:{node.port}/{DATABASE}",
            )
        )
        return path

    def migrate(self) -> None:
        """Have it create its tables."""
        command = [str(self.programs / "kinto"), "migrate", "--ini", str(self._settings(self.address))]
        done = subprocess.run(command, env=child_environment(self.layout), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]

    def _asked(self, method: str, path: str) -> int:
        try:
            return int(
                urllib3.request(
                    method, f"{self.address.url}/v1/{path}", headers=self.endpoint.headers, retries=False, timeout=5.0
                ).status
            )
        except urllib3.exceptions.HTTPError:
            return 0


@contextlib.contextmanager
def standing(layout: RunLayout) -> Iterator[Kinto]:
    """Kinto and its PostgreSQL, empty, ended at the end."""
    kinto = Kinto(layout)
    with postgresql(layout, kinto.password):
        kinto.migrate()
        kinto.start()
        try:
            kinto.await_up()
            kinto.create_collections()
            yield kinto
        finally:
            kinto.kill()


@contextlib.contextmanager
def postgresql(layout: RunLayout, password: str) -> Iterator[None]:
    """A server of its own at the primary's node address, which asks for the password."""
    work_dir, node = Path(layout.work_dir), layout.primary.node
    programs, uid = locate(work_dir)
    work_dir.chmod(0o711)  # its user has to get through
    home = work_dir / "kinto-postgresql"
    home.mkdir()
    secret = home / "password"
    secret.write_text(password)
    for path in (home, secret):
        path.chmod(0o700)
        os.chown(path, -1 if uid is None else uid, -1)
    data = home / "data"
    done = subprocess.run(
        [programs / "initdb", "-D", data, "-U", USER, "--pwfile", secret, "-A", "scram-sha-256", "--no-sync"],
        user=uid, cwd=home, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    listen = ["-c", f"listen_addresses={node.host}", "-c", f"port={node.port}", "-c", "unix_socket_directories="]
    with (work_dir / "kinto-postgresql.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *listen, "-c", "dynamic_shared_memory_type=mmap"],
            user=uid, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: _answers(layout, password), what="PostgreSQL to answer", timeout_s=30)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)


def _answers(layout: RunLayout, password: str) -> bool:
    node = layout.primary.node
    try:
        psycopg.connect(
            host=node.host, port=node.port, user=USER, dbname=DATABASE, password=password, connect_timeout=2
        ).close()
    except psycopg.OperationalError:
        return False
    return True
