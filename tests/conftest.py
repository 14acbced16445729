"""What many tests of the harness need: Hypothesis profiles, and a layout of their own.

Examples of each property: `quick` 25 (the default of `make test`, so that it is run often), `ci` 200 (where CI is set, as
every CI service does, and in .ci/run), `nightly` 2,000 and never the same (`make nightly`). Chosen by
`--hypothesis-profile` or HYPOTHESIS_PROFILE.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.lease import lease

CALM: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=25, derandomize=True, database=None, **CALM)
settings.register_profile("ci", max_examples=200, derandomize=True, database=None, **CALM)
settings.register_profile("nightly", max_examples=2000, print_blob=True, **CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))


@pytest.fixture
def layout() -> Iterator[RunLayout]:
    """A planned layout on a leased loopback network, saved to its work directory; nothing runs on it yet."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    with lease(run_id) as leased:
        planned = RunLayout.plan(
            run_id=run_id,
            work_dir=leased.work_dir,
            pace=10.0,
            network=leased.network,
            regions=("us-east-1", "us-west-2"),
            worker_uid=leased.worker_uid,
        )
        planned.save()
        yield planned
