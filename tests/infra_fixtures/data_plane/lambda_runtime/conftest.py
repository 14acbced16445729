"""One control plane for all tests of this package; every module deploys functions of its own name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_fixtures.site import Site
from tests.infra_fixtures.conftest import aws_client, planned_site, run_control_plane

__all__ = ["aws_client"]


@pytest.fixture(scope="package")
def control_plane() -> Iterator[Site]:
    """The site of a running control plane, stopped after the package's last test."""
    with planned_site() as site:
        yield from run_control_plane(site)
