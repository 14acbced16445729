"""A control plane for all tests of this package, and clients of it as a target gives them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from infra_fixtures.provision import Deployed, provision
from infra_fixtures.safety.lease import lease
from infra_fixtures.site import Site
from infra_fixtures.topology import Topology, embedded_topology
from tests.infra_fixtures.conftest import run_control_plane

GLOBAL_SERVICES = frozenset({"route53", "iam", "cloudfront"})


class RealClients:
    """boto3 clients of a run's front, kept."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._session = boto3.session.Session()
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str | None], Any] = {}

    def client(self, service: str, region: str | None) -> Any:
        """The region's own endpoint, or the global one."""
        with self._lock:
            if (service, region) not in self._kept:
                is_global = region is None or service in GLOBAL_SERVICES
                at = self._site.global_aws if is_global else self._site.region(str(region)).aws
                self._kept[service, region] = self._session.client(
                    service,
                    region_name=region or self._site.primary.name,
                    endpoint_url=at.url,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",
                    config=Config(
                        retries={"total_max_attempts": 1}, max_pool_connections=20, s3={"addressing_style": "path"}
                    ),
                )
            return self._kept[service, region]


@pytest.fixture(scope="package")
def control_plane() -> Iterator[Site]:
    """The site of a running control plane, stopped after the package's last test."""
    with lease(f"test-{uuid.uuid4().hex[:8]}") as held:
        site = Site.plan(
            run_id=held.work_dir.name,
            work_dir=held.work_dir,
            pace=10.0,
            network=held.network,
            regions=("us-east-1", "us-west-2"),
        )
        site.save()
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
