"""A place of its own on this machine for a benchmark: a loopback network and a directory, and an AWS API on request."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from infra_fixtures.safety.lease import lease
from infra_fixtures.site import Site
from tests.infra_fixtures.conftest import run_control_plane

REGIONS = ("us-east-1", "us-west-2")


@contextlib.contextmanager
def private_site(pace: float = 10.0) -> Iterator[Site]:
    """A planned site on a leased network; nothing runs on it yet, nothing of it is left afterwards."""
    run_id = f"bench-{uuid.uuid4().hex[:8]}"
    with lease(run_id) as held:
        site = Site.plan(
            run_id=run_id, work_dir=held.work_dir, pace=pace, network=held.network, regions=REGIONS,
            worker_uid=held.worker_uid,
        )  # fmt: skip
        site.save()
        yield site


@contextlib.contextmanager
def private_aws() -> Iterator[Site]:
    """The same with the embedded AWS API running on it."""
    with private_site() as site:
        yield from run_control_plane(site)
