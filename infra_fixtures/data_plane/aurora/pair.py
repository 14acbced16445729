"""The two nodes and who follows whom: raising, transferring the writer's role, rejoining; it knows nothing of the API.

A cluster's writer endpoint leads to its node only while that node is the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import psycopg

from drill.wait import WaitTimeout, await_until
from infra_fixtures.data_plane.aurora.node import Node, NodeFailure
from infra_fixtures.processes.events import EventLog

SetWriterEndpoint = Callable[[str, bool], Awaitable[None]]
"""Makes a region's writer endpoint lead to its node, or to nothing."""

STREAMING_LIMIT_S = 10.0
CATCH_UP_LIMIT_S = 10.0
POLL_INTERVAL_S = 0.005
LAG_LIMIT_S = 1.0
FRESH_S = 2.5
"""A standby that lives speaks at least once a second (wal_receiver_status_interval). One not heard of for longer than two
such seconds may be anywhere, whatever the writer's figures of it still say: they stay until wal_sender_timeout."""
LAG = """
    SELECT CASE WHEN replay_lag IS NOT NULL THEN extract(epoch FROM replay_lag)::float8
                WHEN replay_lsn = pg_current_wal_lsn() THEN 0::float8 END
    FROM pg_stat_replication
    WHERE application_name = %s AND state = 'streaming' AND clock_timestamp() - reply_time < make_interval(secs => %s)
"""
"""replay_lag is NULL once an idle standby has all: https://www.postgresql.org/docs/16/monitoring-stats.html"""


class TransferFailed(Exception):
    """The writer's role stayed where it was; the message says why."""


class Pair:
    """Nodes by region. `follows[region]` is the region whose log it replays, None for a writer; absent: no database."""

    def __init__(self, nodes: Mapping[str, Node], events: EventLog, set_writer_endpoint: SetWriterEndpoint) -> None:
        self.nodes = nodes
        self.follows: dict[str, str | None] = {}
        self.meant_down: set[str] = set()
        """Regions whose node is down because we took it down."""
        self._events = events
        self._set_writer_endpoint = set_writer_endpoint

    @property
    def writers(self) -> list[str]:
        """Regions whose node is a writer."""
        return [region for region, upstream in self.follows.items() if upstream is None]

    async def raise_pair(self, writer: str, standby: str) -> None:
        """Start both regions' nodes on files that were just made for them (`files.begin`)."""
        self.meant_down |= {writer, standby}
        for node in self.nodes.values():
            node.configure()
        await self.nodes[writer].start(standby=False)
        self.meant_down.discard(writer)
        self.follows |= {writer: None, standby: writer}
        await self._start_standby(standby)
        self._events.record("node.created", writer, "writer")
        self._events.record("node.created", standby, f"standby of {writer}")

    async def raise_writer(self, region: str) -> None:
        """Make an empty database in a region and start it."""
        node = self.nodes[region]
        self.meant_down.add(region)
        await node.remove()
        await node.initialise()
        await node.start(standby=False)
        self.meant_down.discard(region)
        self.follows[region] = None
        self._events.record("node.created", region, "writer")

    async def raise_standby(self, region: str, upstream: str) -> None:
        """Copy the upstream's database into a region and let it follow."""
        node = self.nodes[region]
        self.meant_down.add(region)
        await node.kill()
        await node.clone()
        self.follows[region] = upstream
        await self._start_standby(region)
        self._events.record("node.created", region, f"standby of {upstream}")

    async def streaming(self, region: str) -> bool:
        """Whether a standby is fed by its upstream now, as the upstream sees it."""
        upstream = self.follows.get(region)
        if upstream is None or not (self.nodes[region].running and self.nodes[upstream].running):
            return False
        try:
            rows = await self.nodes[upstream].query(
                "SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'", region
            )
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return bool(rows)

    async def lag_s(self, region: str) -> float | None:
        """How far a standby is behind as its upstream knows, 0 where it has all; None where nobody knows."""
        upstream = self.follows.get(region)
        if upstream is None or not (self.nodes[region].running and self.nodes[upstream].running):
            return None
        try:
            async with asyncio.timeout(LAG_LIMIT_S):  # nobody who has something to do waits behind a frozen node
                rows = await self.nodes[upstream].query(LAG, region, FRESH_S)
        except (psycopg.Error, OSError, TimeoutError):
            return None
        return None if not rows or rows[0][0] is None else max(float(rows[0][0]), 0.0)

    async def switch_over(self, source: str, target: str) -> None:
        """Hand the writer's role over with nothing lost; TransferFailed where it stayed, writing again, at the source.

        The source is fenced and shut down cleanly, which sends the standby all there is; only a standby that has
        replayed all of it is promoted.
        """
        old, new = self.nodes[source], self.nodes[target]
        self._events.record("switchover.begin", source, f"to {target}")
        try:
            await await_until(
                lambda: self.streaming(target), what=f"{target} to stream from {source}", timeout_s=STREAMING_LIMIT_S
            )
            await old.query("CHECKPOINT")  # so that the one at shutdown is short
            await self._set_writer_endpoint(source, False)
            self._events.record("fenced", source, "writer endpoint closed, sessions ended")
            self.meant_down.add(source)
            await old.stop()
            end = await old.shutdown_lsn()
            await await_until(
                lambda: self._replayed(new, end),
                what=f"{target} to replay all of {source}",
                timeout_s=CATCH_UP_LIMIT_S,
                every_s=POLL_INTERVAL_S,
            )
        except (NodeFailure, WaitTimeout, psycopg.Error, OSError, TimeoutError) as e:
            await self._stay(source)
            self._events.record("switchover.failed", source, str(e))
            raise TransferFailed(str(e)) from e
        await self._promote(target)
        self.follows[source] = target
        self._events.record("switchover.end", target)

    async def fail_over(self, source: str, target: str) -> bool:
        """Promote the survivor at once, whatever it has; whether the source lived and was fenced (and may rejoin).

        TransferFailed where the target does not answer either.
        """
        old, new = self.nodes[source], self.nodes[target]
        self._events.record("failover.begin", source, f"to {target}")
        try:
            await new.query("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError) as e:
            self._events.record("failover.failed", target, f"does not answer: {e}")
            raise TransferFailed(f"the node of {target} does not answer") from e
        lived = old.running
        self.meant_down.add(source)
        await old.kill()
        if lived:
            self._events.record("fenced", source, "killed")
        closing = asyncio.create_task(self._close_writer(source))
        await self._promote(target)
        await closing
        self.follows[source] = target
        self._events.record("failover.end", target)
        return lived

    async def detach(self, region: str) -> None:
        """Promote a standby to a writer of its own."""
        self._events.record("detach.begin", region)
        await self._promote(region)
        self._events.record("detach.end", region)

    async def rejoin(self, region: str, *, handed_over: bool = False) -> str:
        """Bring a dead node back in its role, and say how; NodeFailure where its upstream is down.

        `handed_over`: it was stopped by a switchover, so that its upstream has all that it has.
        """
        node = self.nodes[region]
        upstream = self.follows[region]
        if node.running:
            return "it already runs"
        if upstream is None:
            await node.start(standby=False)
            self.meant_down.discard(region)
            await self._set_writer_endpoint(region, True)
            how = "recovered as the writer"
        else:
            how = await self._rejoin_standby(region, upstream, handed_over=handed_over)
        self._events.record("node.rejoined", region, how)
        return how

    async def _rejoin_standby(self, region: str, upstream: str, *, handed_over: bool) -> str:
        node, source = self.nodes[region], self.nodes[upstream]
        if not source.running:
            raise NodeFailure(f"the writer in {upstream} is down, so {region} has nothing to follow: restore it first")
        try:
            how = "followed on"
            if not handed_over and not node.is_standby:  # it was a writer: what only it has must go
                await source.query("CHECKPOINT")  # pg_rewind reads the new timeline from the control file
                await node.rewind()
                how = "rewound"
            await self._start_standby(region)
        except (NodeFailure, WaitTimeout) as e:
            self._events.record("rewind.failed", region, str(e))
            self.meant_down.add(region)
            await node.kill()
            await node.clone()
            await self._start_standby(region)
            how = "cloned anew"
        return how

    async def _start_standby(self, region: str) -> None:
        upstream = self.follows[region]
        assert upstream is not None
        source = self.nodes[upstream]
        # a rewound or copied node is consistent only after the next record, which an idle writer may not write for long
        await self.nodes[region].start(standby=True, nudge=lambda: source.query("SELECT pg_log_standby_snapshot()"))
        self.meant_down.discard(region)
        await await_until(
            lambda: self.streaming(region),
            what=f"{region} to stream from {upstream}",
            timeout_s=STREAMING_LIMIT_S,
            every_s=POLL_INTERVAL_S,
        )

    async def _promote(self, region: str) -> None:
        self._events.record("promotion.begin", region)
        await self.nodes[region].promote()
        self.follows[region] = None
        await self._set_writer_endpoint(region, True)
        self._events.record("promotion.end", region)

    async def _stay(self, source: str) -> None:
        """After a switchover that failed before promotion: the source writes again."""
        node = self.nodes[source]
        with contextlib.suppress(NodeFailure, WaitTimeout):
            if not node.running and source in self.meant_down:
                await node.start(standby=False)
                self.meant_down.discard(source)
            await self._set_writer_endpoint(source, True)

    async def _close_writer(self, region: str) -> None:
        await self._set_writer_endpoint(region, False)

    async def _replayed(self, node: Node, end: str) -> bool:
        rows = await node.query("SELECT pg_last_wal_replay_lsn() > %s::pg_lsn", end)
        return bool(rows[0][0])
