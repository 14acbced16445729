"""A control plane for all tests of this package, and clients of it as a target gives them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from infra_fixtures.provision import Deployed, provision
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.clients import Clients
from infra_fixtures.topology import Topology, embedded_topology
from tests.infra_fixtures.conftest import planned_layout, run_control_plane


@pytest.fixture(scope="package")
def control_plane() -> Iterator[RunLayout]:
    """The layout of a running control plane, stopped after the package's last test."""
    with planned_layout() as layout:
        yield from run_control_plane(layout)


@pytest.fixture(scope="package")
def clients(control_plane: RunLayout) -> Iterator[Clients]:
    """Clients of the control plane, as its target gives them."""
    with contextlib.closing(Clients(control_plane)) as made:
        yield made


@pytest.fixture(scope="package")
def topology() -> Topology:
    """The topology of the embedded target at pace 10."""
    return embedded_topology(10.0)


@pytest.fixture(scope="package")
def deployed(clients: Clients, topology: Topology) -> Deployed:
    """The topology, provisioned once."""
    return provision(clients, topology, "run-a")
