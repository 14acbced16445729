"""One kept PostgreSQL connection a worker and endpoint, and what a failure on it proves.

A write ends in one of four ways, and the drill's proof rests on which one is said:
- rows: it is committed (PostgreSQL answers ReadyForQuery after the commit only);
- NotSent: the statement never left this process (no connection, no credentials, not even prepared);
- Refused: PostgreSQL said ERROR, which rolls the statement's transaction back, so nothing is stored;
- Unsure: the connection broke, timed out, or was ended by the server after the statement was sent.

https://www.postgresql.org/docs/16/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY ("at completion of each series of
extended-query messages ... commit if no error, or rollback if error").
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any

import pg8000.exceptions
import pg8000.native

CONNECT_TIMEOUT_S = 1.0
STATEMENT_TIMEOUT_MS = 2000
ANSWER_TIMEOUT_S = 3.0
"""Longer than the statement's own limit: the server's word that it gave up is proof, silence is none."""
READ_ONLY = "25006"
"""SQLSTATE read_only_sql_transaction."""
IN_DOUBT = frozenset({"40003", "08007"})
"""SQLSTATEs by which the server itself does not know: statement_completion_unknown, transaction_resolution_unknown."""
RECONNECT_AFTER_S = 1.0
"""A connection that says read-only is replaced once it is this old: a handshake costs 10 ms of CPU, a refusal 0.3."""
WRONG_PASSWORD = ("28P01", "28000")
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class _ScramConnection(pg8000.native.Connection):  # type: ignore[misc]  # pg8000 ships no types
    """Tells its password by SCRAM alone: whoever else listens in the database's place learns nothing of it."""

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: object) -> None:  # noqa: N802 - pg8000's name
        """Refuse a server that asks for the password itself (3), or for a digest that can be searched for (5)."""
        if int.from_bytes(data[:4], "big") in (3, 5):
            raise pg8000.exceptions.InterfaceError("the server asks for a password in the clear, or as MD5")
        super().handle_AUTHENTICATION_REQUEST(data, context)


class NotSent(Exception):
    """Certainly not done: the statement was never sent. The message is a short class."""


class Refused(Exception):
    """Certainly not done: the database said no and rolled back; `code` is its SQLSTATE."""

    def __init__(self, code: str) -> None:
        super().__init__(f"refused_{code}")
        self.code = code


class Unsure(Exception):
    """Sent, and nobody can know whether it was done. The message is a short class."""


class Database:
    """One endpoint, named by an environment variable; `credentials` gives username and password, `forget` drops them.

    `read_only`: the server itself refuses whatever would change something.
    """

    def __init__(
        self,
        host_variable: str,
        credentials: Callable[[], Mapping[str, str]],
        forget: Callable[[], None],
        *,
        read_only: bool = False,
    ) -> None:
        self._host_variable = host_variable
        self._settings = {"default_transaction_read_only": "on"} if read_only else {}
        self._credentials = credentials
        self._forget = forget
        self._connection: pg8000.native.Connection | None = None
        self._socket: socket.socket | None = None
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._since_s = 0.0

    def run(self, sql: str, **values: Any) -> list[list[Any]]:
        """Run one statement in a transaction of its own and return its rows; NotSent, Refused or Unsure."""
        statement = self._prepare(sql)
        try:
            rows: list[list[Any]] = statement.run(**values) or []
        except pg8000.exceptions.DatabaseError as e:
            raise self._judged(e) from e
        except Exception as e:
            self.drop()
            raise Unsure(f"connection_lost_{type(e).__name__}") from e
        return rows

    def connect(self) -> None:
        """Have a connection that is not known to be broken; NotSent where there can be none."""
        if self._connection is not None and self._is_stale():
            self.drop()
        if self._connection is None:
            self._open()

    def drop(self) -> None:
        """Forget the connection; the next statement makes a new one."""
        if self._connection is not None:
            with contextlib.suppress(Exception):  # it is broken anyhow
                self._connection.close()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._connection = self._socket = None
        self._prepared.clear()

    def _prepare(self, sql: str) -> pg8000.native.PreparedStatement:
        """The statement, known to the server; nothing of it is executed yet, so any failure is NotSent."""
        self.connect()
        assert self._connection is not None
        if sql not in self._prepared:
            try:
                self._prepared[sql] = self._connection.prepare(sql)
            except pg8000.exceptions.DatabaseError as e:
                self.drop()
                raise Refused(_code(e)) from e
            except Exception as e:
                self.drop()
                raise NotSent(f"lost_before_sending_{type(e).__name__}") from e
        return self._prepared[sql]

    def _judged(self, error: pg8000.exceptions.DatabaseError) -> Exception:
        """What an ErrorResponse proves. FATAL never comes here: the connection ends before ReadyForQuery."""
        code, severity = _code(error), _field(error, "V")
        if code != READ_ONLY or time.monotonic() - self._since_s > RECONNECT_AFTER_S:
            self.drop()
        if severity != "ERROR" or code in IN_DOUBT or not code:
            return Unsure(f"database_said_{code or 'nothing'}")
        return Refused(code)

    def _is_stale(self) -> bool:
        """Whether an idle connection has something to say: a server speaks unasked only to end it."""
        if self._socket is None or self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))

    def _open(self) -> None:
        host, port = os.environ[self._host_variable], int(os.environ["DB_PORT"])
        try:
            secret = self._credentials()
        except Exception as e:
            raise NotSent(f"no_credentials_{type(e).__name__}") from e
        try:
            self._socket = _dial(host, port)
            self._connection = _ScramConnection(
                secret["username"],
                host=host,
                sock=self._socket,
                database=os.environ["DB_NAME"],
                password=secret["password"],
                ssl_context=False,
                application_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "order-api"),
                startup_params={"statement_timeout": str(STATEMENT_TIMEOUT_MS), **self._settings},
            )
            self._socket.settimeout(ANSWER_TIMEOUT_S)
        except Exception as e:
            self.drop()
            if _code(e) in WRONG_PASSWORD:
                self._forget()  # rotated meanwhile
            raise NotSent(f"database_unreachable_{_code(e) or type(e).__name__}") from e
        self._since_s = time.monotonic()


def _dial(host: str, port: int) -> socket.socket:
    """A connected socket, in TLS where DB_TLS is `require` (encrypted, the certificate not verified: libpq's word)."""
    plain = socket.create_connection((host, port), CONNECT_TIMEOUT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if os.environ.get("DB_TLS", "off") == "off":
        return plain
    try:
        plain.sendall(_SSL_REQUEST)
        if plain.recv(1) != b"S":
            raise ConnectionError("the server offers no TLS")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _code(error: Exception) -> str:
    """The SQLSTATE of an ErrorResponse; empty for any other failure."""
    return _field(error, "C")


def _field(error: Exception, name: str) -> str:
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return str(said.get(name, ""))
