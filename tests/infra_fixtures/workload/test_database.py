"""Each way in which a statement can end, produced for real: rows, NotSent, Refused, Unsure."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.workload.database import Database, NotSent, Refused, Unsure
from tests.real_world import System

INSERT = "INSERT INTO orders (key, amount, region) VALUES (:key, 1, 'test') ON CONFLICT (key) DO NOTHING RETURNING key"
SLOW_INSERT = (
    "WITH waited AS (SELECT pg_sleep(1.5)) INSERT INTO orders (key, amount, region)"
    " SELECT :key, 1, 'test' FROM waited RETURNING key"
)
STATEMENTS = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'WITH waited%'"


def test_rows_are_committed(database: Database) -> None:
    """What is returned is there for everybody, on the kept connection and on a new one."""
    assert database.run(INSERT, key=-101) == [[-101]]
    assert database.run(INSERT, key=-101) == [], "the second time there is a row already"
    database.drop()
    assert database.run("SELECT amount FROM orders WHERE key = :key", key=-101) == [[1]]


def test_an_error_of_the_statement_is_refused_and_the_connection_kept(database: Database) -> None:
    """PostgreSQL says ERROR and rolls back: certainly not done; the SQLSTATE is kept."""
    with pytest.raises(Refused, match="refused_22012"):
        database.run("SELECT 1 / (:n)::int", n=0)
    with pytest.raises(Refused, match="refused_42P01"):
        database.run("SELECT * FROM no_such_table")
    assert database.run("SELECT 1") == [[1]]


def test_a_statement_that_takes_too_long_is_refused(database: Database) -> None:
    """statement_timeout is the server's own word that it gave up: nothing of it is stored."""
    with pytest.raises(Refused, match="refused_57014"):
        database.run("SELECT pg_sleep(:s)", s=5)
    assert database.run("SELECT 1") == [[1]]


def test_a_read_only_standby_refuses(database: Database, system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """25006 of a hot standby: certainly not done, and reads are served."""
    monkeypatch.setenv("DB_WRITER_HOST", system.world.layout.region(system.world.standby).node.host)
    with pytest.raises(Refused, match="refused_25006"):
        database.run(INSERT, key=-102)
    assert database.run("SELECT pg_is_in_recovery()") == [[True]]


def test_a_killed_server_leaves_a_sent_statement_unsure(database: Database, system: System) -> None:
    """SIGKILL in the middle of a statement: unsure; while it is down a new one is not sent; afterwards it serves."""
    region = system.world.primary
    with _in_the_middle(database, -103) as under_way, injected(system.world, DatabaseLost(region)):
        with pytest.raises(Unsure, match="connection_lost"):
            under_way.result(timeout=5)
        with pytest.raises(NotSent, match="database_unreachable_ConnectionRefusedError"):
            database.run(INSERT, key=-104)
    assert database.run("SELECT key FROM orders WHERE key IN (-103, -104)") == []


def test_a_session_ended_by_the_server_is_unsure(database: Database, deployed_here: System) -> None:
    """pg_terminate_backend in the middle of a statement: FATAL is no proof that nothing was committed."""
    other = Database("DB_WRITER_HOST", database._credentials, lambda: None)
    with _in_the_middle(database, -105) as under_way:
        wait_until(lambda: other.run(STATEMENTS), what="the statement at the server", timeout_s=1.4)
        assert other.run(f"SELECT pg_terminate_backend(pid) FROM ({STATEMENTS}) AS them") == [[True]]
        with pytest.raises(Unsure):
            under_way.result(timeout=5)
    other.drop()


def test_a_connection_broken_while_idle_is_replaced(database: Database, deployed_here: System) -> None:
    """A server that ended the idle connection has said so: the next statement is sent on a new one and succeeds."""
    other = Database("DB_WRITER_HOST", database._credentials, lambda: None)
    own = database.run("SELECT pg_backend_pid()")[0][0]
    assert other.run("SELECT pg_terminate_backend(:pid)", pid=own) == [[True]]
    wait_until(
        lambda: not other.run("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=own), what="its end", timeout_s=2
    )
    assert database.run("SELECT pg_backend_pid()")[0][0] != own
    other.drop()


def test_a_server_that_never_answers_is_not_sent(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It accepts the connection and is silent: nothing was sent, and the limit of a second is kept."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("DB_WRITER_HOST", "127.0.0.1")
        monkeypatch.setenv("DB_PORT", str(deaf.getsockname()[1]))
        began_s = time.monotonic()
        with pytest.raises(NotSent, match="database_unreachable"):
            database.run(INSERT, key=-106)
        assert time.monotonic() - began_s < 2.5


def test_a_wrong_password_drops_the_credentials(deployed_here: System) -> None:
    """Rotated meanwhile: not sent, and the next statement asks for the credentials anew."""
    dropped = threading.Event()
    database = Database("DB_WRITER_HOST", lambda: {"username": "orders", "password": "old"}, dropped.set)
    with pytest.raises(NotSent, match="database_unreachable_28P01"):
        database.run("SELECT 1")
    assert dropped.is_set()


def test_no_credentials_is_not_sent(deployed_here: System) -> None:
    """Where Secrets Manager does not answer nothing was sent."""

    def none() -> dict[str, str]:
        raise TimeoutError

    with pytest.raises(NotSent, match="no_credentials_TimeoutError"):
        Database("DB_WRITER_HOST", none, lambda: None).run("SELECT 1")


@contextlib.contextmanager
def _in_the_middle(database: Database, key: int) -> Iterator[Future[Any]]:
    """A slow insert under way at the server, in a thread of its own."""
    database.connect()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(lambda: database.run(SLOW_INSERT, key=key))
        sent_s = time.monotonic() + 0.3
        wait_until(lambda: time.monotonic() > sent_s, what="the statement to be sent", timeout_s=1)
        assert not future.done()
        yield future


@pytest.mark.parametrize("request_code", [3, 5], ids=["in the clear", "as MD5"])
def test_whoever_listens_in_the_databases_place_is_told_no_password(
    database: Database, monkeypatch: pytest.MonkeyPatch, request_code: int
) -> None:
    """While a database is down its address is free for others: one that asks for the password gets nothing after the start."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as impostor:
        impostor.settimeout(10)

        def answer() -> None:
            connection, _ = impostor.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(4096)
                body = request_code.to_bytes(4, "big") + b"salt" * (request_code == 5)
                connection.sendall(b"R" + (4 + len(body)).to_bytes(4, "big") + body)
                with contextlib.suppress(OSError):
                    while block := connection.recv(4096):
                        heard.append(block)

        listening = threading.Thread(target=answer)
        listening.start()
        monkeypatch.setenv("DB_WRITER_HOST", "127.0.0.1")
        monkeypatch.setenv("DB_PORT", str(impostor.getsockname()[1]))
        with pytest.raises(NotSent, match="database_unreachable"):
            database.run("SELECT 1")
        listening.join(15)
    assert b"p" not in b"".join(heard)[:1], "a password message begins with p"
