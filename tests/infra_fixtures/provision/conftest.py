"""A control plane for all tests of this package, and clients of it as a target gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra_fixtures.provision import Deployed, provision
from infra_fixtures.site import Site
from infra_fixtures.targets.clients import client_for
from infra_fixtures.topology import Topology, embedded_topology
from tests.infra_fixtures.conftest import planned_site, run_control_plane


class RealClients:
    """boto3 clients of a run, as its target gives them."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def client(self, service: str, region: str | None) -> Any:
        """The region's own endpoint, or the global one."""
        return client_for(self._site, service, region)


@pytest.fixture(scope="package")
def control_plane() -> Iterator[Site]:
    """The site of a running control plane, stopped after the package's last test."""
    with planned_site() as site:
        yield from run_control_plane(site)


@pytest.fixture(scope="package")
def clients(control_plane: Site) -> RealClients:
    """Clients of the control plane."""
    return RealClients(control_plane)


@pytest.fixture(scope="package")
def topology() -> Topology:
    """The topology of the embedded target at pace 10."""
    return embedded_topology(10.0)


@pytest.fixture(scope="package")
def deployed(clients: RealClients, topology: Topology) -> Deployed:
    """The topology, provisioned once."""
    return provision(clients, topology, "run-a")
