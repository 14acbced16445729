"""One PostgreSQL node: made, started, promoted, rejoined; it knows nothing of the RDS API."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import sql

from drill.wait import await_until
from infra_fixtures.data_plane.aurora.files import NodeDirectory
from infra_fixtures.data_plane.aurora.settings import ADMIN, FSYNC_FILE, HBA, command_line, configuration, conninfo
from infra_fixtures.processes.shared_memory import release_shared_memory
from infra_fixtures.processes.supervisor import Process, Span, Supervisor
from infra_fixtures.run_layout import RegionLayout, RunLayout

T = TypeVar("T")

PROCESS = "aurora"
"""The node's name at the supervisor."""
AUTOMATION = "template1"
"""The database that AWS's own automation is connected to; theirs is one of its own, rdsadmin, which costs 300 files."""
UNNAMED = "postgres"
"""The database that initdb makes for whatever purpose: the first that is asked for is this one under another name."""
START_LIMIT_S = 30.0
TOOL_LIMIT_S = 60.0
QUERY_LIMIT_S = 5.0
PROMOTION_LIMIT_S = 20.0
POLL_INTERVAL_S = 0.005
NUDGE_S = 0.05


class NodeFailure(Exception):
    """PostgreSQL, or one of its tools, did not do what was asked; the message names its log."""


class Node:
    """A region's PostgreSQL; methods are to be called one at a time."""

    def __init__(
        self, layout: RunLayout, region: RegionLayout, supervisor: Supervisor, pg_bin: Path, pg_uid: int | None
    ) -> None:
        self.region = region
        self._directory = NodeDirectory.of(layout, region.name, pg_uid)
        self._supervisor = supervisor
        self._bin = pg_bin
        self._uid = pg_uid
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self._directory.data

    @property
    def process(self) -> Process | None:
        """The server's process, the last one started."""
        return self._supervisor.process(self.region.name, PROCESS)

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self.process is not None and self.process.alive

    @property
    def exists(self) -> bool:
        """Whether there is a database on disk."""
        return (self.data / "PG_VERSION").exists()

    @property
    def is_standby(self) -> bool:
        """Whether the database on disk was last a standby's."""
        return (self.data / "standby.signal").exists()

    async def initialise(self) -> None:
        """Make an empty database (initdb) whose only role is AWS's own automation."""
        self._directory.create()
        await self._tool(*self._directory.initdb(self._bin))
        self.configure()

    def configure(self) -> None:
        """Write the settings of a database that initdb has just made."""
        self._write("pg_hba.conf", HBA.format(admin=ADMIN))
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(configuration())

    async def clone(self) -> None:
        """Copy the other region's node through the inter-region link (pg_basebackup)."""
        self._directory.create()
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)
        await self._tool(
            str(self._bin / "pg_basebackup"),
            "-D", str(self.data), "-X", "stream", "-c", "fast", "--no-sync", "-d", self._source(),
        )  # fmt: skip

    async def rewind(self) -> None:
        """Take back what this node wrote and the other never got (pg_rewind); NodeFailure where that is impossible."""
        await self._tool(
            str(self._bin / "pg_rewind"), "-D", str(self.data), "--no-sync", "--source-server", self._source()
        )

    async def start(self, *, standby: bool, nudge: Callable[[], Awaitable[object]] | None = None) -> None:
        """Start the server and wait until it answers.

        A standby answers once its log is consistent, for which it may need a fresh record from the writer: `nudge`
        makes the writer write one.
        """
        release_shared_memory(self.data)
        if standby:
            self._write("standby.signal", "")
        else:
            (self.data / "standby.signal").unlink(missing_ok=True)
        await self._forget()
        self._set_fsync(False)
        process = self._supervisor.spawn(
            self.region.name,
            PROCESS,
            [
                str(self._bin / "postgres"), "-D", str(self.data),
                *command_line(self.region.node, self.region.upstream, self.region.name, self._directory.passfile),
            ],
            uid=self._uid,
            cwd=self._directory.path,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
        )  # fmt: skip
        nudger = asyncio.create_task(_repeat(nudge)) if nudge is not None else None

        async def answers() -> bool:
            if not process.alive:
                raise NodeFailure(f"PostgreSQL of {self.region.name} ended while starting: {_last_line(process.log)}")
            try:
                await self.query("SELECT 1")
            except (psycopg.Error, OSError, TimeoutError):
                return False
            return True

        try:
            await await_until(answers, what=f"PostgreSQL of {self.region.name}", timeout_s=START_LIMIT_S, every_s=0.01)
        finally:
            if nudger is not None:
                nudger.cancel()
        if not standby:
            await self._sync_commits()

    async def stop(self) -> None:
        """Shut down cleanly: every session ends, the standby is sent all there is."""
        await self._forget()
        await self._supervisor.stop(self.region.name, PROCESS)

    async def kill(self) -> Span:
        """SIGKILL of the server and all its children."""
        span = await self._supervisor.kill(self.region.name, PROCESS)
        await self._forget()
        release_shared_memory(self.data)
        return span

    async def remove(self) -> None:
        """Kill the server and delete its database."""
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self.data, ignore_errors=True)

    async def promote(self) -> None:
        """Make the standby a writer; returns when it accepts writes."""
        await self.query("SELECT pg_promote(wait => false)")

        async def promoted() -> bool:
            return not (await self.query("SELECT pg_is_in_recovery()"))[0][0]

        await await_until(
            promoted, what=f"the promotion in {self.region.name}", timeout_s=PROMOTION_LIMIT_S, every_s=POLL_INTERVAL_S
        )
        await self._sync_commits()

    async def create_owner(self, credentials: Mapping[str, str]) -> None:
        """Make the master user and the database that CreateDBCluster named; what exists is kept, the password set."""
        role, database = sql.Identifier(credentials["username"]), credentials.get("database") or ""
        password = sql.Literal(credentials["password"])
        known = await self.query("SELECT 1 FROM pg_roles WHERE rolname = %s", credentials["username"])
        verb = sql.SQL("ALTER" if known else "CREATE")
        await self.execute(sql.SQL("{} ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(verb, role, password))
        await self.execute(sql.SQL("GRANT pg_monitor, pg_signal_backend TO {}").format(role))
        if not database or await self.query("SELECT 1 FROM pg_database WHERE datname = %s", database):
            return
        name = sql.Identifier(database)
        if await self.query("SELECT 1 FROM pg_database WHERE datname = %s", UNNAMED):
            await self.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(UNNAMED), name))
            await self.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, role))
        else:
            made = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0")  # template1 is in use
            await self.execute(made.format(name, role))

    async def shutdown_lsn(self) -> str:
        """Where the log of a cleanly stopped node ends: the start of its shutdown checkpoint."""
        log = await self._tool(str(self._bin / "pg_controldata"), str(self.data))
        facts = dict(line.split(":", 1) for line in log.splitlines() if ":" in line)
        if facts.get("Database cluster state", "").strip() != "shut down":
            raise NodeFailure(
                f"PostgreSQL of {self.region.name} was not shut down cleanly: {facts.get('Database cluster state', '?').strip()}"
            )
        return facts["Latest checkpoint location"].strip()

    async def query(self, statement: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as AWS's automation, on a connection that is kept; rows, or an empty list."""
        return await self.execute(sql.SQL(statement), *values)

    async def execute(self, statement: sql.SQL | sql.Composed, *values: object) -> list[tuple[Any, ...]]:
        """The same for a composed statement."""
        async with asyncio.timeout(QUERY_LIMIT_S), self._lock:
            connection = await self._connected()
            try:
                cursor = await connection.execute(statement, values or None)
                return await cursor.fetchall() if cursor.description else []
            except (psycopg.OperationalError, psycopg.InterfaceError, asyncio.CancelledError):
                await self._forget()
                raise

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                host=self.region.node.host,
                port=self.region.node.port,
                user=ADMIN,
                password=self._directory.secret.read_text(),
                dbname=AUTOMATION,
                sslmode="disable",
                require_auth="scram-sha-256",  # whoever listens there while the node is down is told no password
                application_name="aurora-manager",
                autocommit=True,
            )
        return self._connection

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    def _source(self) -> str:
        return conninfo(
            self.region.upstream, self._directory.passfile, dbname=AUTOMATION, sslmode="disable", connect_timeout="10"
        )

    async def _tool(self, *command: str) -> str:
        """Run a program as PostgreSQL's user to its end and return what it said; NodeFailure where it failed."""
        program = Path(command[0]).name
        name = f"aurora-{program.removeprefix('pg_')}"
        known = self._supervisor.process(self.region.name, name)
        before = known.log.stat().st_size if known is not None else 0
        status = await self._supervisor.run(
            self.region.name, name, command,
            timeout_s=TOOL_LIMIT_S, uid=self._uid, cwd=self._directory.path, env={"LC_ALL": "C"},
        )  # fmt: skip
        process = self._supervisor.process(self.region.name, name)
        assert process is not None
        said = process.log.read_bytes()[before:].decode(errors="replace")
        if status:
            raise NodeFailure(f"{program} of {self.region.name} failed ({status}): {_last_line(process.log)}")
        return said

    async def _sync_commits(self) -> None:
        """From now on commits wait for the disk."""
        self._set_fsync(True)
        await self.query("SELECT pg_reload_conf()")

    def _set_fsync(self, on: bool) -> None:
        path = self._directory.path / FSYNC_FILE
        path.write_text(f"fsync = {'on' if on else 'off'}\n")
        self._directory.own(path)

    def _write(self, name: str, content: str) -> None:
        path = self.data / name
        path.write_text(content)
        self._directory.own(path)


async def _repeat(nudge: Callable[[], Awaitable[object]]) -> None:
    while True:
        with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
            await nudge()
        await asyncio.sleep(NUDGE_S)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1]} (log: {log})" if lines else f"no output (log: {log})"
