"""The whole data plane as processes: it comes up by itself, loses a region at once, and brings it back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from drill.wait import wait_until
from infra_fixtures.data_plane.events import read_events
from infra_fixtures.data_plane.follow import client
from infra_fixtures.safety.sweep import processes_of
from infra_fixtures.site import RegionSite, Site, child_environment
from tests.infra_fixtures.conftest import run_control_plane

EAST, WEST = "us-east-1", "us-west-2"
GLOBAL, MASTER, PASSWORD, DATABASE = "orders-global", "orders_admin", "a pass'word 1", "orders"


class Running:
    """A running data plane with an Aurora pair."""

    def __init__(self, site: Site, process: subprocess.Popen[bytes]) -> None:
        self.site = site
        self.process = process

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, timeout_s: float = 30) -> Any:
        """Call the control API: status and answer."""
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(
            self.site.backbone.url + path, data=data, method=method, headers=self.site.credentials.bearer
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as e:
            text = e.read().decode()
            return e.code, json.loads(text) if text.startswith("{") else text

    def do(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """A POST that must succeed."""
        status, answer = self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    def await_ready(self) -> None:
        """Until everything serves."""
        answer: list[Any] = []

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError((Path(self.site.work_dir) / "backbone.log").read_text()[-3000:])
            try:
                answer[:] = self.ask("GET", "/ready")
            except OSError:
                return False
            return bool(answer[0] == 200)

        try:
            wait_until(ready, what="the data plane", timeout_s=30)
        except TimeoutError as e:
            log = (Path(self.site.work_dir) / "backbone.log").read_text()[-3000:]
            raise AssertionError(f"{e}: {answer}\n{log}") from e

    def sql(self, address: str, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        """One statement as the application."""
        with psycopg.connect(
            host=address, port=5432, user=MASTER, password=PASSWORD, dbname=DATABASE, autocommit=True, connect_timeout=2
        ) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def provision(self) -> None:
        """A global cluster with a cluster in each region."""
        east, west = client(self.site, "rds", EAST), client(self.site, "rds", WEST)
        east.create_global_cluster(GlobalClusterIdentifier=GLOBAL, Engine="aurora-postgresql")
        east.create_db_cluster(
            DBClusterIdentifier="east", Engine="aurora-postgresql", MasterUsername=MASTER, MasterUserPassword=PASSWORD,
            DatabaseName=DATABASE, GlobalClusterIdentifier=GLOBAL,
        )  # fmt: skip
        west.create_db_cluster(DBClusterIdentifier="west", Engine="aurora-postgresql", GlobalClusterIdentifier=GLOBAL)


@pytest.fixture
def running(site: Site) -> Iterator[Running]:
    """Control plane, backbone, regions, databases; afterwards nothing of it is left."""
    for _ in run_control_plane(site):
        with (Path(site.work_dir) / "backbone.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra_fixtures.data_plane", str(site.path)],
                env=child_environment(site), stdout=output, stderr=output,
            )  # fmt: skip
        try:
            data_plane = Running(site, process)
            data_plane.provision()
            data_plane.await_ready()
            yield data_plane
        finally:
            began = time.monotonic()
            process.terminate()
            try:
                process.wait(timeout=10)
            finally:
                process.kill()
                process.wait()
            assert time.monotonic() - began < 3
    assert processes_of(site.run_id, Path(site.work_dir)) == []


def _refused_or_silent(region: RegionSite) -> bool:
    """Whether the region's edge gives no answer within half a second."""
    try:
        urllib.request.urlopen(region.edge.url + "/", timeout=0.5)
    except urllib.error.HTTPError:
        return False
    except OSError:
        return True
    return False


def test_region_is_lost_at_once_fails_over_and_comes_back(running: Running) -> None:
    """Kill: processes, links and API gone within a second; failover; restore: rejoined without what only it had."""
    site = running.site
    east, west = site.primary, site.standby
    running.sql(east.writer.host, "CREATE TABLE ledger (key int PRIMARY KEY)")
    running.sql(east.writer.host, "INSERT INTO ledger VALUES (1)")
    wait_until(
        lambda: running.sql(west.reader.host, "SELECT to_regclass('ledger')")[0][0], what="the table", timeout_s=5
    )
    wait_until(lambda: running.sql(west.reader.host, "SELECT key FROM ledger") == [(1,)], what="the row", timeout_s=5)
    with pytest.raises(psycopg.OperationalError):
        running.sql(west.writer.host, "SELECT 1")
    assert not _refused_or_silent(east)

    running.do("/links/replication", {"cut": True})
    running.sql(east.writer.host, "INSERT INTO ledger VALUES (2)")
    pids = [p["pid"] for name, p in running.ask("GET", "/state")[1]["processes"].items() if name.startswith(EAST)]
    before = time.monotonic_ns()
    stamps = running.do(f"/regions/{EAST}/kill")
    assert before <= stamps["began_ns"] <= stamps["ended_ns"] <= time.monotonic_ns()
    assert (stamps["ended_ns"] - stamps["began_ns"]) / 1e6 < 250
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert _refused_or_silent(east)
    assert not _refused_or_silent(west)

    client(site, "rds", WEST).failover_global_cluster(
        GlobalClusterIdentifier=GLOBAL, TargetDbClusterIdentifier=f"arn:aws:rds:{WEST}:{site.account_id}:cluster:west",
        AllowDataLoss=True,
    )  # fmt: skip

    def writes() -> bool:
        try:
            running.sql(west.writer.host, "INSERT INTO ledger VALUES (3)")
        except psycopg.OperationalError:
            return False
        return True

    wait_until(writes, what="the standby to write", timeout_s=5)
    assert running.ask("GET", "/ready")[0] == 503

    running.do("/links/replication", {"cut": False})
    restored = running.do(f"/regions/{EAST}/restore")
    assert restored["database"] == "rewound"
    running.await_ready()
    wait_until(
        lambda: running.sql(east.reader.host, "SELECT key FROM ledger ORDER BY key") == [(1,), (3,)],
        what="the old primary to follow", timeout_s=5,
    )  # fmt: skip
    with pytest.raises(psycopg.OperationalError):
        running.sql(east.writer.host, "SELECT 1")
    assert not _refused_or_silent(east)
    promotions = [
        e.subject for e in read_events(Path(site.work_dir) / "aurora.events.jsonl") if e.event == "promotion.end"
    ]
    assert promotions == [WEST]


def test_control_api_steers_databases_and_links_and_says_what_it_cannot(running: Running) -> None:
    """Database kill and restore, a link inside a region, S3 steering; unknown regions, links and words are refused."""
    east = running.site.primary
    running.do(f"/regions/{EAST}/database/kill")
    with pytest.raises(psycopg.OperationalError):
        running.sql(east.writer.host, "SELECT 1")
    assert running.do(f"/regions/{EAST}/database/restore")["database"] == "recovered as the writer"
    running.sql(east.writer.host, "SELECT 1")

    running.do(f"/links/{EAST}/writer", {"refuse": True})
    with pytest.raises(psycopg.OperationalError):
        running.sql(east.writer.host, "SELECT 1")
    running.do(f"/links/{EAST}/writer", {"refuse": False})
    running.sql(east.writer.host, "SELECT 1")
    running.do(f"/links/{EAST}/edge", {"latency_ms": 1})
    assert running.ask("GET", "/state")[1]["links"][EAST]["edge"]["conditions"]["up"]["latency_ms"] == 1
    assert running.do("/replication/s3", {"paused": True})["paused"] is True

    assert running.ask("POST", "/regions/mars-1/kill")[0] == 404
    assert running.ask("POST", f"/regions/{EAST}/explode")[0] == 404
    assert running.ask("POST", f"/links/{EAST}/nowhere")[0] == 404
    status, answer = running.ask("POST", "/links/replication", {"cutt": True})
    assert status == 400
    assert "cutt" in answer["error"]
