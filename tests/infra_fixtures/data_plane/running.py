"""The whole data plane as processes, with an Aurora pair, and how tests speak to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from drill.wait import wait_until
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.internal_api.clients import client
from infra_fixtures.run_layout import RunLayout, child_environment
from infra_fixtures.safety.sweep import processes_of
from tests.infra_fixtures.conftest import run_control_plane

EAST, WEST = "us-east-1", "us-west-2"
GLOBAL, MASTER, PASSWORD, DATABASE = "orders-global", "orders_admin", "a pass'word 1", "orders"


class Running:
    """A running data plane with an Aurora pair."""

    def __init__(self, layout: RunLayout, process: subprocess.Popen[bytes]) -> None:
        self.layout = layout
        self.process = process

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = 30) -> Any:
        """Call the control API: status and answer."""
        data = json.dumps(body or {}).encode() if method in ("POST", "PUT") else None
        request = urllib.request.Request(
            self.layout.global_process.url + path, data=data, method=method, headers=self.layout.credentials.bearer
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as e:
            text = e.read().decode()
            return e.code, json.loads(text) if text.startswith("{") else text

    def do(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        """A call that must succeed."""
        status, answer = self.ask(method, path, body)
        assert status == 200, answer
        return answer

    def put_rule(self, link: str, rule: str, **figures: Any) -> Any:
        """Put a rule on a link (scope/link)."""
        return self.do(f"/links/{link}/rules/{rule}", figures, "PUT")

    def remove_rule(self, link: str, rule: str) -> Any:
        """Take a rule off."""
        return self.do(f"/links/{link}/rules/{rule}", method="DELETE")

    def await_ready(self) -> None:
        """Until everything serves."""
        answer: list[Any] = []

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError((Path(self.layout.work_dir) / "data_plane.log").read_text()[-3000:])
            try:
                answer[:] = self.ask("GET", "/ready")
            except OSError:
                return False
            return bool(answer[0] == 200)

        try:
            wait_until(ready, what="the data plane", timeout_s=30)
        except TimeoutError as e:
            log = (Path(self.layout.work_dir) / "data_plane.log").read_text()[-3000:]
            raise AssertionError(f"{e}: {answer}\n{log}") from e

    def login(self, host: str) -> dict[str, Any]:
        """How the application connects to an endpoint."""
        return {
            "host": host, "port": 5432, "user": MASTER, "password": PASSWORD, "dbname": DATABASE,
            "autocommit": True, "connect_timeout": 2,
        }  # fmt: skip

    def sql(self, host: str, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        """One statement as the application."""
        with psycopg.connect(**self.login(host)) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def provision(self) -> None:
        """A global cluster with a cluster in each region."""
        east, west = client(self.layout, "rds", EAST), client(self.layout, "rds", WEST)
        east.create_global_cluster(GlobalClusterIdentifier=GLOBAL, Engine="aurora-postgresql")
        east.create_db_cluster(
            DBClusterIdentifier="east", Engine="aurora-postgresql", MasterUsername=MASTER, MasterUserPassword=PASSWORD,
            DatabaseName=DATABASE, GlobalClusterIdentifier=GLOBAL,
        )  # fmt: skip
        west.create_db_cluster(DBClusterIdentifier="west", Engine="aurora-postgresql", GlobalClusterIdentifier=GLOBAL)


@contextlib.contextmanager
def data_plane(layout: RunLayout) -> Iterator[Running]:
    """Control plane, global process, regions, databases; afterwards nothing of it is left."""
    pg_bin, pg_uid = locate(Path(layout.work_dir), layout.worker_uid)
    layout = msgspec.structs.replace(layout, pg_bin=str(pg_bin), pg_uid=pg_uid)
    for _ in run_control_plane(layout):
        with (Path(layout.work_dir) / "data_plane.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra_fixtures.data_plane", str(layout.path)],
                env=child_environment(layout), stdout=output, stderr=output,
            )  # fmt: skip
        try:
            running = Running(layout, process)
            running.provision()
            running.await_ready()
            yield running
        finally:
            began = time.monotonic()
            process.terminate()
            try:
                process.wait(timeout=10)
            finally:
                process.kill()
                process.wait()
            assert time.monotonic() - began < 3
    assert processes_of(layout.run_id, Path(layout.work_dir)) == []
