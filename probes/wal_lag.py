"""How far is the standby's PostgreSQL behind, where the application stores no heartbeats? Its own log says so.

The place in the primary's write-ahead log serves as a heartbeat: what had been flushed at a look is a number that a copy shows
once it has replayed as much (pg_last_wal_replay_lsn, https://www.postgresql.org/docs/current/functions-admin.html). So an idle
database does not fall behind, and a cut link does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from typing import ClassVar

import psycopg

from drill.parts import Recorder
from infra_fixtures.targets.parts import WalPart
from infra_fixtures.targets.world import World
from probes.heartbeats import Heartbeats

EVERY_S = 0.1
CONNECT_LIMIT_S = 2
STATEMENT_LIMIT_MS = 2000
WRITTEN = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_flush_lsn() - '0/0'::pg_lsn END"
REPLAYED = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END"


class WalLag:
    """Samples replication_lag_s and replication_lag_upper_s of aurora, the records' name for the store of an application's
    writes; no sample while the primary is none, or the standby cannot be read or is none any more."""

    name = "wal_lag"
    needs: ClassVar[tuple[type, ...]] = (WalPart,)

    def __init__(self, world: World) -> None:
        self._primary, self._standby = _Log(world, world.primary, WRITTEN), _Log(world, world.standby, REPLAYED)

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look at both until told to stop."""
        beats = Heartbeats()
        with contextlib.closing(self._primary), contextlib.closing(self._standby):
            while not stop.wait(EVERY_S):
                sent_ns = time.monotonic_ns()
                written = self._primary.place()
                asked_ns = time.monotonic_ns()
                if written is not None:
                    beats.wrote(written, sent_ns, asked_ns)
                replayed = self._standby.place()
                answered_ns = time.monotonic_ns()
                if replayed is None:
                    continue
                beats.seen(replayed)
                lag_s, upper_s = beats.bounds(asked_ns, answered_ns)
                recorder.sample("replication_lag_s", "aurora", lag_s, answered_ns)
                recorder.sample("replication_lag_upper_s", "aurora", upper_s, answered_ns)


class _Log:
    """One server's place in its log, over a connection that is kept while it lives."""

    def __init__(self, world: World, region: str, query: str) -> None:
        self._endpoint = world.database(region)
        self._query = query
        self._connection: psycopg.Connection | None = None

    def place(self) -> int | None:
        """As a number of bytes; None where it cannot be told now."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    **dataclasses.asdict(self._endpoint),
                    connect_timeout=CONNECT_LIMIT_S,
                    require_auth="scram-sha-256",
                    options=f"-c statement_timeout={STATEMENT_LIMIT_MS} -c default_transaction_read_only=on",
                    application_name="wal_lag",
                    autocommit=True,
                )
            row = self._connection.execute(self._query.encode()).fetchone()
        except psycopg.Error:
            self.close()  # it may well be down: that is what a drill is about
            return None
        return None if row is None or row[0] is None else int(row[0])

    def close(self) -> None:
        """Close the connection; a later look opens another."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None
