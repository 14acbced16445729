"""The boto3 clients of a run: made once, closed with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.clients import Clients
from infra_fixtures.targets.localstack.endpoints import of_own_sessions


@pytest.fixture
def clients(control_plane: RunLayout) -> Iterator[Clients]:
    """Clients of a running control plane."""
    with contextlib.closing(Clients(control_plane)) as made:
        yield made


def test_the_same_question_gets_the_same_client(clients: Clients) -> None:
    """Whichever thread asks; a global service has one for all regions, a region its own."""
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: clients.client("kms", "us-east-1"), range(32)))
    assert {id(client) for client in asked} == {id(asked[0])}
    assert clients.client("kms", "us-west-2") is not asked[0]
    assert clients.client("route53", None) is clients.client("route53", "us-west-2")


def test_connections_are_closed_with_the_run(clients: Clients) -> None:
    """Several a client, as threads use them at once: none of them is left, nor does a client made later leave any."""
    together = threading.Barrier(4)

    def ask(region: str) -> None:
        together.wait(10)
        clients.client("ec2", region).describe_vpcs()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, ["us-east-1", "us-west-2"] * 2))
    assert len(_connections(clients.layout)) >= 2
    clients.close()
    assert _connections(clients.layout) == []
    with pytest.raises(RuntimeError, match="a client for ec2 is asked for after the run ended"):
        clients.client("ec2", "us-east-1")
    clients.close()


def test_clients_by_localstack_client_are_closed_too(control_plane: RunLayout) -> None:
    """Its sessions know no end of their own."""
    with contextlib.closing(Clients(control_plane, of_own_sessions)) as clients:
        clients.client("ec2", "us-east-1").describe_vpcs()
        assert _connections(control_plane)
    assert _connections(control_plane) == []


def _connections(layout: RunLayout) -> list[object]:
    """This process's to the run."""
    network = layout.primary.aws.host.rpartition(".")[0]
    found = psutil.Process().net_connections("tcp")
    return [c for c in found if c.raddr and c.raddr[0].startswith(f"{network}.")]
