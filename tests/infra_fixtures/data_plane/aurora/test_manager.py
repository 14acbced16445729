"""The manager makes of RDS API calls what Aurora would, with a real PostgreSQL pair."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from drill.wait import WaitTimeout, await_until
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.data_plane.aurora.lag_metric import METRIC, NAMESPACE, LagMetric
from infra_fixtures.data_plane.aurora.manager import AuroraManager
from infra_fixtures.data_plane.aurora.node import PROCESS
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.processes.events import read_events
from infra_fixtures.processes.supervisor import Supervisor
from infra_fixtures.run_layout import Address, RunLayout
from tests.infra_fixtures.conftest import run_control_plane

EAST, WEST = "us-east-1", "us-west-2"
GLOBAL, MASTER, PASSWORD, DATABASE = "orders-global", "orders_admin", "a pass'word 1", "orders"
CUT = LinkRule(cut=True)


@pytest.fixture
def aws(layout: RunLayout) -> Iterator[RunLayout]:
    """A control plane for one test: moto does not let a cluster be made anew in the minute of its deletion."""
    yield from run_control_plane(layout)


@dataclass
class World:
    """A pair that serves, with the links that lead to it."""

    layout: RunLayout
    supervisor: Supervisor
    manager: AuroraManager
    writers: dict[str, Link]
    upstreams: dict[str, Link]

    async def run(self, address: Address, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        """One statement as the application would run it, on a connection of its own."""
        async with asyncio.timeout(5):
            connection = await psycopg.AsyncConnection.connect(
                host=address.host, port=address.port, user=MASTER, password=PASSWORD, dbname=DATABASE, autocommit=True
            )
            async with connection:
                cursor = await connection.execute(statement, values or None)
                return await cursor.fetchall() if cursor.description else []

    async def keys(self, region: str) -> list[int]:
        """The ledger as the region's reader endpoint gives it."""
        rows = await self.run(self.layout.region(region).reader, "SELECT key FROM ledger ORDER BY key")
        return [row[0] for row in rows]

    async def write(self, region: str, key: int) -> None:
        """One order through the region's writer endpoint."""
        await self.run(self.layout.region(region).writer, "INSERT INTO ledger VALUES (%s)", key)

    async def has(self, region: str, *keys: int) -> None:
        """Wait until the region's ledger is exactly this."""

        seen: list[object] = []

        async def equal() -> bool:
            try:
                seen[:] = await self.keys(region)
            except (psycopg.Error, OSError) as e:
                seen[:] = [repr(e)]
            return seen == list(keys)

        try:
            await await_until(equal, what=f"{region} to hold {keys}", timeout_s=8)
        except WaitTimeout as e:
            raise AssertionError(f"{e}; it holds {seen}; {await self.manager.state()}") from e

    async def api(self, region: str, operation: str, **arguments: Any) -> Any:
        """An RDS call."""
        return await call(getattr(client(self.layout, "rds", region), operation), **arguments)

    async def transferred(self, writer: str) -> None:
        """Wait until the API says that a region writes and nothing is under way."""

        async def done() -> bool:
            one = (await self.api(EAST, "describe_global_clusters"))["GlobalClusters"][0]
            writers = [m["DBClusterArn"] for m in one["GlobalClusterMembers"] if m["IsWriter"]]
            return one["Status"] == "available" and [arn.split(":")[3] for arn in writers] == [writer]

        await await_until(done, what=f"{writer} to be the writer in the API", timeout_s=10)

    async def streams(self) -> None:
        """Wait until the pair is whole."""

        async def whole() -> bool:
            return not await self.manager.not_ready()

        await await_until(whole, what="the pair to stream", timeout_s=15)

    def events(self) -> list[str]:
        """The manager's events so far."""
        return [e.event for e in read_events(Path(self.layout.work_dir) / "aurora.events.jsonl")]


@contextlib.asynccontextmanager
async def _world(layout: RunLayout) -> AsyncIterator[World]:
    """Clusters in the API, nodes behind them, a table; all gone at the end."""
    pg_bin, pg_uid = locate(Path(layout.work_dir))
    supervisor = Supervisor(layout)
    east, west = layout.regions
    writers = {r.name: Link("writer", r.writer, r.node, pg_uid) for r in layout.regions}
    readers = {r.name: Link("reader", r.reader, r.node, pg_uid) for r in layout.regions}
    upstreams = {
        EAST: Link("upstream", east.upstream, west.node, pg_uid),
        WEST: Link("upstream", west.upstream, east.node, pg_uid),
    }
    links = [*writers.values(), *readers.values(), *upstreams.values()]
    for link in writers.values():
        link.set_active(False)
    for link in links:
        link.start()

    async def set_writer_endpoint(region: str, active: bool) -> None:
        writers[region].set_active(active)

    async with Admin(layout) as admin:
        manager = AuroraManager(layout, supervisor, admin, set_writer_endpoint, pg_bin, pg_uid)
        world = World(layout, supervisor, manager, writers, upstreams)
        reconciling = asyncio.create_task(run_reconcilers(layout, manager))
        try:
            await world.api(EAST, "create_global_cluster", GlobalClusterIdentifier=GLOBAL, Engine="aurora-postgresql")
            await world.api(
                EAST, "create_db_cluster", DBClusterIdentifier="orders-east", Engine="aurora-postgresql",
                MasterUsername=MASTER, MasterUserPassword=PASSWORD, DatabaseName=DATABASE,
                GlobalClusterIdentifier=GLOBAL,
            )  # fmt: skip
            await world.api(
                WEST, "create_db_cluster", DBClusterIdentifier="orders-west", Engine="aurora-postgresql",
                GlobalClusterIdentifier=GLOBAL,
            )  # fmt: skip
            await world.streams()
            await world.run(east.writer, "CREATE TABLE ledger (key int PRIMARY KEY)")
            yield world
        finally:
            reconciling.cancel()
            await asyncio.gather(reconciling, return_exceptions=True)
            await manager.close()
            for link in links:
                link.close()
            await supervisor.close()


def _arn(region: str, name: str) -> str:
    return f"arn:aws:rds:{region}:123456789012:cluster:{name}"


def test_pair_replicates_and_switches_over_without_loss(aws: RunLayout) -> None:
    """Every write acknowledged while the writer's role moves is on the new writer, and the old one follows it."""

    async def scene() -> None:
        async with _world(aws) as world:
            await world.write(EAST, 0)
            await world.has(WEST, 0)
            described = (await world.api(WEST, "describe_db_clusters"))["DBClusters"][0]
            assert described["ReaderEndpoint"] == aws.region(WEST).reader.host
            with pytest.raises(psycopg.OperationalError):
                await world.write(WEST, 99)

            acknowledged = [0]

            async def keep_writing() -> None:
                key = 0
                while True:
                    key += 1
                    with contextlib.suppress(psycopg.Error, OSError):
                        await world.write(EAST, key)
                        acknowledged.append(key)
                    await asyncio.sleep(0.002)  # a refused connection fails without ever yielding

            writing = asyncio.create_task(keep_writing())
            await asyncio.sleep(0.1)
            await world.api(
                EAST, "switchover_global_cluster", GlobalClusterIdentifier=GLOBAL,
                TargetDbClusterIdentifier=_arn(WEST, "orders-west"),
            )  # fmt: skip
            await world.transferred(WEST)
            writing.cancel()
            assert set(acknowledged) <= set(await world.keys(WEST))
            assert len(acknowledged) > 3
            await world.streams()
            await world.run(aws.region(WEST).writer, "DELETE FROM ledger")
            await world.write(WEST, 1_000_000)
            await world.has(EAST, 1_000_000)
            order = [e for e in world.events() if e in ("fenced", "promotion.begin", "promotion.end")]
            assert order[-3:] == ["fenced", "promotion.begin", "promotion.end"]

    asyncio.run(scene())


def test_failover_loses_what_was_not_sent_and_the_dead_writer_rejoins_rewound(aws: RunLayout) -> None:
    """Writes acknowledged behind a partitioned link are gone after the failover, also from the old writer once it is
    back."""

    async def scene() -> None:
        async with _world(aws) as world:
            await world.write(EAST, 1)
            await world.has(WEST, 1)
            for link in world.upstreams.values():
                link.put_rule("cut", CUT)
            await world.write(EAST, 2)
            assert await world.keys(WEST) == [1]
            await world.supervisor.kill(EAST, PROCESS)

            async def reported() -> bool:
                return "node.died" in world.events()

            await await_until(reported, what="the death to be noticed", timeout_s=1)
            await world.api(
                WEST, "failover_global_cluster", GlobalClusterIdentifier=GLOBAL,
                TargetDbClusterIdentifier=_arn(WEST, "orders-west"), AllowDataLoss=True,
            )  # fmt: skip
            await world.transferred(WEST)
            await world.write(WEST, 3)
            assert await world.keys(WEST) == [1, 3]
            for link in world.upstreams.values():
                link.remove_rule("cut")
            assert await world.manager.rejoin(EAST) == "rewound"
            await world.has(EAST, 1, 3)

    asyncio.run(scene())


@pytest.mark.parametrize("frozen", [False, True], ids=["answering", "frozen"])
def test_failover_fences_a_writer_that_lives(aws: RunLayout, frozen: bool) -> None:
    """A living writer, be it frozen with its whole region, takes no write after the survivor is promoted, and follows it."""

    async def scene() -> None:
        async with _world(aws) as world:
            await world.write(EAST, 1)
            await world.has(WEST, 1)
            if frozen:
                world.supervisor.freeze(EAST)
            await world.api(
                WEST, "failover_global_cluster", GlobalClusterIdentifier=GLOBAL,
                TargetDbClusterIdentifier=_arn(WEST, "orders-west"), AllowDataLoss=True,
            )  # fmt: skip
            await world.transferred(WEST)
            if frozen:
                world.supervisor.thaw(EAST)
            with pytest.raises((psycopg.Error, OSError)):
                await world.write(EAST, 2)
            await world.manager.thawed(EAST)
            await world.streams()
            await world.write(WEST, 3)
            await world.has(EAST, 1, 3)
            events = world.events()
            assert events.index("fenced") < events.index("promotion.begin")

    asyncio.run(scene())


def test_removed_secondary_becomes_a_writer_of_its_own(aws: RunLayout) -> None:
    """After RemoveFromGlobalCluster both clusters write, apart."""

    async def scene() -> None:
        async with _world(aws) as world:
            await world.write(EAST, 1)
            await world.has(WEST, 1)
            await world.api(
                WEST, "remove_from_global_cluster", GlobalClusterIdentifier=GLOBAL,
                DbClusterIdentifier=_arn(WEST, "orders-west"),
            )  # fmt: skip

            async def writes() -> bool:
                return world.writers[WEST].active

            await await_until(writes, what="the detached cluster to write", timeout_s=5)
            await world.write(WEST, 2)
            await world.write(EAST, 3)
            assert await world.keys(WEST) == [1, 2]
            assert await world.keys(EAST) == [1, 3]
            await world.api(WEST, "delete_db_cluster", DBClusterIdentifier="orders-west", SkipFinalSnapshot=True)

            async def gone() -> bool:
                node = world.manager.pair.nodes[WEST]
                return not node.running and not node.exists

            await await_until(gone, what="the deleted cluster's node to go", timeout_s=5)

    asyncio.run(scene())


def test_cloudwatch_is_told_the_lag_where_it_is_known_and_nothing_where_it_is_not(aws: RunLayout) -> None:
    """Milliseconds of the secondary cluster in its region; behind a partitioned link nobody knows, and nothing is
    published."""

    def published(region: str) -> list[dict[str, Any]]:
        now = datetime.datetime.now(datetime.UTC)
        found = client(aws, "cloudwatch", region).get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=METRIC,
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": "orders-west"}],
            StartTime=now - datetime.timedelta(minutes=1),
            EndTime=now + datetime.timedelta(minutes=1),
            Period=1,
            Statistics=["SampleCount", "Maximum"],
        )
        return list(found["Datapoints"])

    async def scene() -> None:
        async with _world(aws) as world, LagMetric(msgspec.structs.replace(aws, pace=200.0), world.manager.lags):

            async def told() -> bool:
                return bool(await call(published, WEST))

            await world.write(EAST, 1)
            await await_until(told, what="the lag in CloudWatch", timeout_s=5)
            points = await call(published, WEST)
            assert all(0 <= p["Maximum"] < 1000 and p["Unit"] == "Milliseconds" for p in points)
            assert await call(published, EAST) == []
            known = await world.manager.lags()
            assert [(k.region, k.cluster_id) for k in known] == [(WEST, "orders-west")]

            for link in world.upstreams.values():
                link.put_rule("cut", CUT)

            async def unknown() -> bool:
                return await world.manager.lags() == []

            await await_until(unknown, what="the lag to be unknown", timeout_s=5)
            await asyncio.sleep(1.2)  # what was gathered before is put
            before = sum(p["SampleCount"] for p in await call(published, WEST))
            await asyncio.sleep(1.2)
            assert sum(p["SampleCount"] for p in await call(published, WEST)) == before
            for link in world.upstreams.values():
                link.remove_rule("cut")

    asyncio.run(scene())
