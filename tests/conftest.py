"""What many tests of the harness need: a site of their own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from infra_fixtures.safety.lease import lease
from infra_fixtures.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A planned site on a leased loopback network, saved to its work directory; nothing runs on it yet."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    with lease(run_id) as held:
        planned = Site.plan(
            run_id=run_id,
            work_dir=held.work_dir,
            pace=10.0,
            network=held.network,
            regions=("us-east-1", "us-west-2"),
        )
        planned.save()
        yield planned
