"""The kernel says who is at the other end of a connection, whichever way it is asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from infra_fixtures.access.peer import SockAddress, _diagnosed, _listed, user_of

FindUser = Callable[[SockAddress, SockAddress], int | None]


@pytest.mark.parametrize("ask", [user_of, _diagnosed, _listed])
def test_the_user_behind_a_connection_is_named_and_without_one_nobody_is(ask: FindUser) -> None:
    """The owner of the client's socket, whoever listens; None for a connection that is closed or never was."""
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
