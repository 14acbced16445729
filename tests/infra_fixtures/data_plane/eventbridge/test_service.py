"""Rules on a schedule, made through the AWS API."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.eventbridge.rules import rate_s
from infra_fixtures.data_plane.eventbridge.service import EventBridge
from infra_fixtures.internal_api.reconciler import ReconcilerProgress, run_reconcilers
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient

REGION = "us-west-2"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:canary"


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200), ("cron(0 12 * * ? *)", None)],
)
def test_rates_are_read(expression: str, seconds: float | None) -> None:
    """Minutes, hours and days; a cron expression is no rate."""
    assert rate_s(expression) == seconds


class World:
    """A rule of the test's own, and what it invoked."""

    def __init__(self, aws_client: AwsClient) -> None:
        self.events = aws_client("events", REGION)
        self.rule = f"rule-{uuid.uuid4().hex[:6]}"
        self.invoked: list[tuple[float, str, dict[str, Any]]] = []

    async def invoke(self, function: str, payload: bytes) -> None:
        """What EventBridge is given to invoke functions with; as slow as a canary."""
        self.invoked.append((time.monotonic(), function, json.loads(payload)))
        await asyncio.sleep(30)

    async def put(self, state: str = "ENABLED", **target: Any) -> None:
        """PutRule every minute, and its target."""
        await asyncio.to_thread(self.events.put_rule, Name=self.rule, ScheduleExpression="rate(1 minute)", State=state)
        targets = [{"Id": "1", "Arn": FUNCTION, **target}]
        await asyncio.to_thread(self.events.put_targets, Rule=self.rule, Targets=targets)

    async def until(self, times: int, within_s: float) -> None:
        """Wait until that many invocations began."""

        async def there() -> bool:
            return len(self.invoked) >= times

        await await_until(there, what=f"{times} invocations", timeout_s=within_s)


def run(layout: RunLayout, world: World, scenario: Callable[[], Any]) -> None:
    """Run a scenario beside an EventBridge, at pace 60: a minute is a second."""
    faster = msgspec.structs.replace(layout, pace=60.0)

    async def whole() -> None:
        async with EventBridge(faster, REGION, world.invoke) as bridge:
            progress = ReconcilerProgress()
            reconciling = asyncio.create_task(run_reconcilers(faster, bridge, progress=progress))

            async def looked() -> bool:
                return not progress.behind

            try:
                await asyncio.sleep(0)  # it is behind from its start on
                await await_until(looked, what="the first look", timeout_s=5)
                await scenario()
            finally:
                reconciling.cancel()
                await asyncio.gather(reconciling, return_exceptions=True)
                world.events.remove_targets(Rule=world.rule, Ids=["1"])
                world.events.delete_rule(Name=world.rule)

    asyncio.run(whole())


def test_a_rule_runs_at_its_paced_rate(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """First a (paced) minute after its target was put, then every minute, whether or not the last run is over."""
    world = World(aws_client)

    async def scenario() -> None:
        await world.put()
        put = time.monotonic()
        await world.until(3, within_s=5)
        times = [at for at, _, _ in world.invoked]
        assert times[0] - put == pytest.approx(1.0, abs=0.4)
        assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([1.0, 1.0], abs=0.3)
        _, function, event = world.invoked[0]
        assert function == FUNCTION
        assert (event["source"], event["detail-type"], event["region"]) == ("aws.events", "Scheduled Event", REGION)
        assert event["resources"] == [f"arn:aws:events:{REGION}:123456789012:rule/{world.rule}"]

    run(control_plane, world, scenario)


def test_a_rule_that_was_there_before_goes_on_soon(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """A process that comes up anew in its region does not leave a whole period out."""
    world = World(aws_client)
    asyncio.run(world.put())

    async def scenario() -> None:
        began = time.monotonic()
        await world.until(1, within_s=2)
        assert world.invoked[0][0] - began < 0.8

    run(control_plane, world, scenario)


def test_a_disabled_rule_rests_until_it_is_enabled(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """DisableRule ends the runs, EnableRule begins them again; a constant input replaces the event."""
    world = World(aws_client)

    async def scenario() -> None:
        await world.put(state="DISABLED", Input='{"only": "this"}')
        with pytest.raises(TimeoutError):
            await world.until(1, within_s=1.5)
        await asyncio.to_thread(world.events.enable_rule, Name=world.rule)
        await world.until(1, within_s=2)
        assert world.invoked[0][2] == {"only": "this"}
        await asyncio.to_thread(world.events.disable_rule, Name=world.rule)
        before = len(world.invoked)
        with pytest.raises(TimeoutError):
            await world.until(before + 1, within_s=1.5)

    run(control_plane, world, scenario)
