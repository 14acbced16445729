"""Event invocations: accepted at once, tried again as Lambda does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drill.wait import await_until
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import reconciling, run

NAME = "event-worker"


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function, whose minutes last 50 ms for the service under test."""
    deploy(aws_client, NAME)
    return msgspec.structs.replace(control_plane, pace=1200.0)


def test_a_failing_event_runs_three_times(layout: RunLayout) -> None:
    """An event whose function raises is run once and tried again twice, and no more."""
    scratch = Path(layout.work_dir) / "lambda" / "us-east-1" / "tmp"  # a function may write nowhere else
    note = scratch / "runs"

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            event = json.dumps({"append": str(note), "fail": 1}).encode()
            result = await service.invoke(NAME, event, asynchronous=True)
            assert (result.status, result.payload) == (202, b"")

            async def runs() -> bool:
                return note.exists() and len(note.read_text()) == 3

            await await_until(runs, what="two retries", timeout_s=5)
            good = scratch / "good"
            await service.invoke(NAME, json.dumps({"append": str(good)}).encode(), asynchronous=True)

            async def ran() -> bool:
                return good.exists()

            await await_until(ran, what="the event to run", timeout_s=5)
        assert len(note.read_text()) == 3
        assert good.read_text() == "x"

    run(scenario())
