"""One control plane for all tests of this package; every module deploys functions of its own name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import aws_client, planned_layout, run_control_plane

__all__ = ["aws_client"]


@pytest.fixture(scope="package")
def control_plane() -> Iterator[RunLayout]:
    """The layout of a running control plane, stopped after the package's last test."""
    with planned_layout() as layout:
        yield from run_control_plane(layout)
