"""HTTP as probes speak it: an answer, a refusal in its own words, or 0 for a dead line."""

from __future__ import annotations

from urllib.parse import urlsplit

import psutil
import pytest

from infra_fixtures.targets.world import Endpoint
from probes.web import Client, ProbeRefused
from tests.real_world import System
from traffic.contract_file import order_api


def test_an_answer_is_decoded_and_a_refusal_keeps_its_words(system: System) -> None:
    """An expected status gives the JSON; anything else raises with method, path, status and body."""
    beat = order_api().beat
    assert beat is not None
    with Client(system.world.regional(system.world.primary)) as client:
        assert client.send(beat.write, seq=1)["stored"] is True
        with pytest.raises(ProbeRefused, match=r"GET /orders/-5: 404 .*no_such_order"):
            client.send(order_api().read, key=-5)


def test_without_its_key_it_is_forbidden(system: System) -> None:
    """The endpoint's headers are what lets a probe in."""
    endpoint = system.world.regional(system.world.primary)
    with Client(Endpoint(endpoint.url, {"host": endpoint.headers["host"]})) as keyless:
        assert keyless.status("/orders/1") == 403


def test_the_connection_is_closed_with_its_client(system: System) -> None:
    """It is kept from one question to the next, and gone at the end."""
    endpoint = system.world.regional(system.world.standby)
    before = _connections(endpoint)
    with Client(endpoint) as client:
        assert (client.status("/health"), client.status("/health")) == (200, 200)
        assert len(_connections(endpoint) - before) == 1
    assert _connections(endpoint) <= before


def test_a_dead_line_has_status_0() -> None:
    """Nobody listens: no exception, and no status that a server could have given."""
    assert Client(Endpoint("http://127.0.0.1:1")).status("/health") == 0


def _connections(endpoint: Endpoint) -> set[int]:
    """The descriptors of this process's connections to it."""
    host = urlsplit(endpoint.url).hostname
    return {c.fd for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr[0] == host}
