"""The kernel says who is at the other end of a connection, whichever way it is asked."""

from __future__ import annotations

import os
import socket

import pytest

from infra_fixtures.access import peer as peers
from infra_fixtures.access.peer import ForeignServer, require_server, server_of, user_of

WAYS = ["_diagnosed", "_listed"]
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another user")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of asking the kernel, with the other one out of reach."""
    monkeypatch.setattr(peers, "_find", getattr(peers, request.param))
    return str(request.param)


def test_the_user_behind_a_connection_is_named_and_without_one_nobody_is(way: str) -> None:
    """The owner of the client's socket, whoever listens; None for a connection that is closed or never was."""
    ask = user_of
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, peer = server.accept()
        with client, accepted:
            assert ask(peer, accepted.getsockname()) == os.geteuid()
            assert ask(("127.0.0.1", 1), accepted.getsockname()) is None
            if os.geteuid() == 0:
                os.fchown(client.fileno(), 12345, 12345)
                assert ask(peer, accepted.getsockname()) == 12345
        assert ask(peer, server.getsockname()) is None


def test_who_serves_a_connection_is_named_before_it_is_accepted_and_after(way: str) -> None:
    """Whoever listens while the connection waits, then whoever has accepted it; None once that is over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with client:
            assert server_of(client) == os.geteuid()
            require_server(client)
            accepted, _ = server.accept()
            assert server_of(client) == os.geteuid()
            accepted.close()
            assert server_of(client) is None
            with pytest.raises(ConnectionResetError, match="nobody serves"):
                require_server(client)


@only_as_root
@pytest.mark.parametrize("accepted", [False, True])
def test_another_user_who_listens_is_refused(way: str, accepted: bool) -> None:
    """Whether it has accepted the connection yet or not; the message names the user."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.fchown(server.fileno(), 12345, 12345)
        with socket.create_connection(server.getsockname()) as client:
            if accepted:
                theirs, _ = server.accept()
                os.fchown(theirs.fileno(), 12345, 12345)
            with pytest.raises(ForeignServer, match="user 12345, who is not of this run, listens on 127"):
                require_server(client)
            require_server(client, owner=12345)
