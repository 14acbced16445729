"""Three kinds of client, told apart by what they do with a connection when DNS or the connection changes.

follower: honours the TTL, so before each request it drops a connection whose peer left the current answer.
sticky: keeps its connection, and asks DNS again only when it loses one; it does not move while the old endpoint lives.
fresh: opens a connection for every request, to where DNS (within its TTL) says.

Requests are written here rather than by geventhttpclient's HTTPClient: that one silently retries idempotent requests,
and a retry hides an outage. Its connection pool and parser are used as they are.
"""

from __future__ import annotations

import _socket
import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import gevent
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPParseError, HTTPSocketPoolResponse

from traffic.contract import Contract, Request
from traffic.load import FOLLOWER, FRESH, STICKY, Load, Service
from traffic.outcomes import Answer, InDoubt, NotSent
from traffic.resolver import Route53Resolver

BLOCK = 16 * 1024


class WriteRefused(Exception):
    """A load that may only read was about to write: a defect, which must reach nobody's service."""


class _RequestTimeout(BaseException):
    """Raised into a request that outlasts its limit; a BaseException, so that no library mistakes it for its own."""


class _Pool(ConnectionPool):
    """Connections to the service; `resolver` is the one installed in the hub."""

    resolver: Route53Resolver

    def _is_socket_alive(self, sock: Any) -> bool:
        """An idle connection has nothing to read: no end of stream, no reset, no stray byte.

        The pool's own check uses select(), which calls every descriptor above 1,023 dead.
        """
        try:
            _socket.socket.recv(sock._sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False


class FollowerPool(_Pool):
    """Never uses a connection whose peer is not in the current answer."""

    _current: tuple[str, ...] = ()

    def get_socket(self) -> Any:
        """A connection to one of the current addresses; raises what resolving and connecting raise."""
        self._current = self.resolver.addresses(self._connection_host)
        return super().get_socket()

    def _is_socket_alive(self, sock: Any) -> bool:
        try:
            peer = sock.getpeername()[0]
        except OSError:
            return False
        return peer in self._current and super()._is_socket_alive(sock)


class StickyPool(_Pool):
    """Opens further connections to where it already is; asks DNS only at first and after it lost a connection."""

    _pinned: list[Any] | None = None

    def _resolve(self) -> list[Any]:
        if self._pinned is None:
            self._pinned = super()._resolve()
        return self._pinned

    def _create_socket(self) -> Any:
        try:
            return super()._create_socket()
        except BaseException:
            self._pinned = None
            raise

    def _is_socket_alive(self, sock: Any) -> bool:
        alive = super()._is_socket_alive(sock)
        if not alive:
            self._pinned = None
        return alive

    def release_socket(self, sock: Any) -> None:
        """A connection was lost."""
        self._pinned = None
        super().release_socket(sock)


class FreshPool(_Pool):
    """Keeps nothing."""

    def return_socket(self, sock: Any) -> None:
        """Close it."""
        self.release_socket(sock)


class _FollowerTls(FollowerPool, SSLConnectionPool):
    pass


class _StickyTls(StickyPool, SSLConnectionPool):
    pass


class _FreshTls(FreshPool, SSLConnectionPool):
    pass


POOLS: Mapping[str, tuple[type[_Pool], type[_Pool]]] = {
    FOLLOWER: (FollowerPool, _FollowerTls),
    STICKY: (StickyPool, _StickyTls),
    FRESH: (FreshPool, _FreshTls),
}


class Cohort:
    """One kind of client: `send` sends exactly one request and returns its Answer, or raises NotSent or InDoubt."""

    def __init__(
        self, name: str, load: Load, service: Service, contract: Contract, resolver: Route53Resolver, size: int
    ) -> None:
        pool = POOLS[name][service.tls]
        self._pool = pool(
            service.host,
            service.port,
            service.host,
            service.port,
            size=size,
            connection_timeout=load.connect_timeout_s,
            network_timeout=None,  # type: ignore[arg-type]  # the whole request is timed instead of each read
        )
        self._pool.resolver = resolver
        self._request_timeout_s = load.request_timeout_s
        self._path = service.url.path.rstrip("/")
        headers = {"Host": service.url.netloc.rpartition("@")[2], "Accept": "application/json"}
        if service.api_key is not None:
            headers["x-api-key"] = service.api_key
        if name == FRESH:
            headers["Connection"] = "close"
        self._headers = _overriding(headers, contract.headers, service.headers)
        self._region_header = contract.region_header.lower()
        self._regions = service.regions
        self._only = contract.read if load.read_keys else None
        self._heads: dict[int, str] = {}

    def send(self, request: Request, path: str, body: bytes | None) -> Answer:
        """Send it as the contract's `request` says, to `path`, with `body` as JSON where it has one.

        Where the load may only read, anything but the contract's read raises WriteRefused, and nothing is sent.
        """
        if self._only is not None and request is not self._only:
            raise WriteRefused(f"{request.method} {path} is not the contract's read: nothing else may be sent")
        head = f"{request.method} {self._path}{path} HTTP/1.1\r\n{self._head(request)}"
        if body is None:
            return self._exchange(request.method, f"{head}\r\n".encode("latin-1"))
        head = f"{head}Content-Length: {len(body)}\r\n\r\n"
        return self._exchange(request.method, head.encode("latin-1") + body)

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def _head(self, request: Request) -> str:
        """The header lines that are the same for every such request."""
        if id(request) not in self._heads:
            form = {} if request.body is None else {"Content-Type": "application/json"}
            headers = _overriding(self._headers, form, request.headers)
            self._heads[id(request)] = "".join(f"{field}: {value}\r\n" for field, value in headers.items())
        return self._heads[id(request)]

    def _exchange(self, method: str, request: bytes) -> Answer:
        sock = self._connection()
        try:
            with gevent.Timeout(self._request_timeout_s, _RequestTimeout):
                return self._ask(sock, method, request)
        except _RequestTimeout:
            raise InDoubt("timeout") from None
        except ConnectionResetError:
            raise InDoubt("reset") from None
        except BrokenPipeError:
            raise InDoubt("closed") from None
        except HTTPParseError as e:
            raise InDoubt("closed" if "connection closed" in str(e) else "bad_answer") from None
        except OSError as e:
            raise InDoubt(_name_of(e)) from None

    def _connection(self) -> Any:
        try:
            return self._pool.get_socket()
        except TimeoutError:
            raise InDoubt("connect_timeout") from None
        except socket.gaierror:
            raise NotSent("dns") from None
        except ConnectionRefusedError:
            raise NotSent("refused") from None
        except ssl.SSLError:
            raise NotSent("tls") from None
        except OSError as e:
            raise NotSent(_name_of(e)) from None

    def _ask(self, sock: Any, method: str, request: bytes) -> Answer:
        try:
            peer = sock.getpeername()[0] if self._regions else ""
            sock.sendall(request)
            block = sock.recv(BLOCK)
            if not block:
                raise InDoubt("closed")
        except BaseException:
            self._pool.release_socket(sock)
            raise
        # from here on the answer hands the connection back to the pool, or closes it
        answer = HTTPSocketPoolResponse(sock, self._pool, block_size=BLOCK, method=method, pre_buffered=block)
        try:
            while not answer.message_complete:
                block = sock.recv(BLOCK)
                try:
                    answer.feed(block)
                except HTTPParseError:
                    if block:
                        raise
                if not block and not answer.message_complete:
                    raise InDoubt("closed")
        finally:
            answer.release()
        region = answer.get(self._region_header)
        return Answer(
            answer.get_code(), region if isinstance(region, str) else None, answer.read(), self._regions.get(peer)
        )


def _overriding(*sets: Mapping[str, str]) -> dict[str, str]:
    """All headers, later ones in place of earlier ones of the same name, however that is spelt."""
    found: dict[str, tuple[str, str]] = {}
    for headers in sets:
        found |= {name.lower(): (name, value) for name, value in headers.items()}
    return dict(found.values())


def _name_of(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__).lower()
