"""Requests among the run's own processes reach them, and another user's server in their place hears nothing."""

from __future__ import annotations

import asyncio
import http.server
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import aiohttp
import pytest

from infra_fixtures.internal_api.own_http import open_own, own_session

SECRET = {"Authorization": "Bearer the run's own"}
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another user")


class _Server(http.server.ThreadingHTTPServer):
    heard: list[str]


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.heard.append(self.headers["Authorization"])
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    """An HTTP server of this process."""
    with _Server(("127.0.0.1", 0), _Answering) as one:
        one.heard = []
        serving = threading.Thread(target=one.serve_forever)
        serving.start()
        yield one
        one.shutdown()
        serving.join()


def _by_urllib(url: str) -> bytes:
    with open_own(urllib.request.Request(url, headers=SECRET), 5) as answer:
        return answer.read()


def _by_aiohttp(url: str) -> bytes:
    async def ask() -> bytes:
        async with own_session(headers=SECRET) as session, session.get(url) as answer:
            return await answer.read()

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [_by_urllib, _by_aiohttp])
def test_the_runs_own_server_is_asked(server: _Server, ask: Callable[[str], bytes]) -> None:
    """The secret arrives, the answer comes back."""
    assert ask(f"http://127.0.0.1:{server.server_port}/") == b"ok"
    assert server.heard == [SECRET["Authorization"]]


@only_as_root
@pytest.mark.parametrize("ask", [_by_urllib, _by_aiohttp])
def test_another_users_server_hears_nothing(ask: Callable[[str], bytes]) -> None:
    """The request ends as where nobody listens, in a sentence that names the user."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        os.fchown(stranger.fileno(), 12345, 12345)
        with pytest.raises((OSError, aiohttp.ClientConnectorError), match="user 12345, who is not of this run"):
            ask(f"http://127.0.0.1:{stranger.getsockname()[1]}/")
        heard, _ = stranger.accept()
        with heard:
            assert heard.recv(1000) == b""


def test_a_refusal_is_an_error_with_its_words(server: _Server) -> None:
    """As urlopen has it: HTTPError, whose body can be read."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        open_own(f"http://127.0.0.1:{server.server_port}/missing", 5)
    assert (refused.value.code, refused.value.read()) == (404, b"ok")
