"""The whole data plane as processes: it comes up by itself, loses a region at once, and brings it back."""

from __future__ import annotations

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
from infra_fixtures.internal_api.clients import client
from infra_fixtures.processes.events import read_events
from infra_fixtures.run_layout import RegionLayout, RunLayout
from tests.infra_fixtures.data_plane.running import EAST, GLOBAL, WEST, Running, data_plane


@pytest.fixture
def running(layout: RunLayout) -> Iterator[Running]:
    """A data plane of the test's own."""
    with data_plane(layout) as running:
        yield running


def _refused_or_silent(region: RegionLayout) -> bool:
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
    layout = running.layout
    east, west = layout.primary, layout.standby
    running.sql(east.writer.host, "CREATE TABLE ledger (key int PRIMARY KEY)")
    running.sql(east.writer.host, "INSERT INTO ledger VALUES (1)")
    wait_until(
        lambda: running.sql(west.reader.host, "SELECT to_regclass('ledger')")[0][0], what="the table", timeout_s=5
    )
    wait_until(lambda: running.sql(west.reader.host, "SELECT key FROM ledger") == [(1,)], what="the row", timeout_s=5)
    with pytest.raises(psycopg.OperationalError):
        running.sql(west.writer.host, "SELECT 1")
    assert not _refused_or_silent(east)

    running.put_rule("replication/both", "replication_cut", cut=True)
    running.sql(east.writer.host, "INSERT INTO ledger VALUES (2)")
    pids = [p["pid"] for name, p in running.ask("GET", "/state")[1]["processes"].items() if name.startswith(EAST)]
    before = time.monotonic_ns()
    stamps = running.do(f"/regions/{EAST}/lose")
    assert before <= stamps["began_ns"] <= stamps["ended_ns"] <= time.monotonic_ns()
    assert (stamps["ended_ns"] - stamps["began_ns"]) / 1e6 < 250
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert _refused_or_silent(east)
    assert not _refused_or_silent(west)

    client(layout, "rds", WEST).failover_global_cluster(
        GlobalClusterIdentifier=GLOBAL, TargetDbClusterIdentifier=f"arn:aws:rds:{WEST}:{layout.account_id}:cluster:west",
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

    running.remove_rule("replication/both", "replication_cut")
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
        e.subject for e in read_events(Path(layout.work_dir) / "aurora.events.jsonl") if e.event == "promotion.end"
    ]
    assert promotions == [WEST]


def test_control_api_steers_s3_and_says_what_it_cannot(running: Running) -> None:
    """S3 steering; unknown regions, roles, actions, zones, links, rules and words are refused in a sentence."""
    assert running.do("/replication/s3", {"paused": True})["paused"] is True

    def refused(method: str, path: str, status: int, words: str, body: dict[str, Any] | None = None) -> None:
        got, answer = running.ask(method, path, body)
        assert got == status, answer
        assert words in answer["error"]

    refused("POST", "/regions/mars-1/lose", 404, "mars-1")
    refused("POST", "/regions/mars-1/processes/database/kill", 404, "mars-1")
    refused("POST", f"/regions/{EAST}/processes/cache/kill", 404, "cache")
    refused("POST", f"/regions/{EAST}/processes/database/explode", 404, "explode")
    refused("POST", f"/regions/{EAST}/processes/database/kill?az=mars-1a", 404, "mars-1a")
    refused("POST", f"/regions/{EAST}/processes/region/kill?az={EAST}a", 409, "leave az out")
    refused("POST", f"/regions/{EAST}/processes/functions/kill", 409, "no functions process runs")
    refused("PUT", f"/links/{EAST}/nowhere/rules/a", 404, "nowhere", {"cut": True})
    refused("PUT", "/links/replication/up/rules/a", 404, "replication/up", {"cut": True})
    refused("PUT", "/links/replication/both/rules/a", 400, "cutt", {"cutt": True})
    refused("PUT", "/links/replication/both/rules/a", 400, "latency_ms", {"latency_ms": -1})
    refused("PUT", "/links/replication/both/rules/internal:a", 400, "internal:a", {"cut": True})
    assert running.remove_rule("replication/both", "never-put")["ended_ns"]
