"""One control plane for all tests of this package; every module deploys functions of its own name."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from infra_fixtures.safety.lease import lease
from infra_fixtures.site import Site
from tests.infra_fixtures.conftest import aws_client, run_control_plane

__all__ = ["aws_client"]


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
