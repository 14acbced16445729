"""HTTP between the run's own processes: no request leaves before it is known that the run's own user serves it.

These requests carry the run's secrets (its bearer secret, signed calls, what functions are called with), and their answers
are believed. While a process is down, anybody on the machine may listen on its port.
"""

from __future__ import annotations

import errno
import http.client
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

import aiohttp
from aiohttp import ClientConnectorError
from aiohttp.client_proto import ResponseHandler

from infra_fixtures.access.peer import require_server


class _OwnConnector(aiohttp.TCPConnector):
    """Another user's server, or a connection that has ended, is a refused connection."""

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        handler = await super()._create_connection(req, traces, timeout)
        connection = None if handler.transport is None else handler.transport.get_extra_info("socket")
        try:
            if connection is None:
                raise ConnectionResetError(errno.ECONNRESET, "the connection has ended")
            require_server(connection)
        except OSError as e:
            handler.abort()
            raise ClientConnectorError(req.connection_key, e) from e
        return handler


def own_session(*, headers: Mapping[str, str] | None = None, limit: int = 100, **options: Any) -> aiohttp.ClientSession:
    """A session for the run's own processes, `limit` connections at once (0: any number); else as aiohttp's."""
    return aiohttp.ClientSession(connector=_OwnConnector(limit=limit), headers=headers, **options)


class _OwnConnection(http.client.HTTPConnection):
    """Raises OSError before anything is sent to another user's server."""

    def connect(self) -> None:
        super().connect()
        try:
            require_server(self.sock)
        except OSError:
            self.close()
            raise


class _OwnHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_OwnConnection, req)


_opener = urllib.request.OpenerDirector()
for _handler in (_OwnHandler(), urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler()):
    _opener.add_handler(_handler)


def open_own(request: urllib.request.Request | str, timeout_s: float) -> HTTPResponse:
    """urlopen for the run's own processes, without proxies and redirects; OSError as urlopen's."""
    answer = _opener.open(request, timeout=timeout_s)
    assert isinstance(answer, HTTPResponse)
    return answer
