"""A place of its own on this machine for a benchmark: a loopback network and a directory, and an AWS API on request."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.lease import lease
from tests.infra_fixtures.conftest import run_control_plane

REGIONS = ("us-east-1", "us-west-2")


@contextlib.contextmanager
def private_layout(pace: float = 10.0) -> Iterator[RunLayout]:
    """A planned layout on a leased network; nothing runs on it yet, nothing of it is left afterwards."""
    run_id = f"bench-{uuid.uuid4().hex[:8]}"
    with lease(run_id) as leased:
        layout = RunLayout.plan(
            run_id=run_id, work_dir=leased.work_dir, pace=pace, network=leased.network, regions=REGIONS,
            worker_uid=leased.worker_uid,
        )  # fmt: skip
        layout.save()
        yield layout


@contextlib.contextmanager
def private_aws() -> Iterator[RunLayout]:
    """The same with the embedded AWS API running on it."""
    with private_layout() as layout:
        yield from run_control_plane(layout)
