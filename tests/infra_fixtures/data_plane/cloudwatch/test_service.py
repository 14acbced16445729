"""Alarms whole: created and fed through the AWS API, firing into a function through SNS."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.cloudwatch import CloudWatch
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.processes.events import read_events
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient

REGION = "us-west-2"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:failover-controller"


class World:
    """A running alarm evaluator and everything it invoked."""

    def __init__(self, layout: RunLayout, aws_client: AwsClient) -> None:
        self.layout = layout
        self.cloudwatch = aws_client("cloudwatch", REGION)
        self.sns = aws_client("sns", REGION)
        self.namespace = uuid.uuid4().hex[:8]
        self.invoked: list[tuple[float, str, dict[str, Any]]] = []
        self.topic = self.sns.create_topic(Name=self.namespace)["TopicArn"]
        self.sns.subscribe(TopicArn=self.topic, Protocol="lambda", Endpoint=FUNCTION)

    async def invoke(self, function: str, payload: bytes) -> None:
        """What CloudWatch is given to invoke functions with."""
        self.invoked.append((time.monotonic(), function, json.loads(payload)))

    async def alarm(self, **more: Any) -> str:
        """Create an alarm on PrimaryHealthy < 1, three periods of 10 s of three, that notifies the topic."""
        settings = {
            "AlarmName": f"primary-unhealthy-{self.namespace}",
            "Namespace": self.namespace,
            "MetricName": "PrimaryHealthy",
            "Dimensions": [{"Name": "Region", "Value": "us-east-1"}],
            "Statistic": "Minimum",
            "Period": 10,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 3,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "ignore",
            "AlarmActions": [self.topic],
            **more,
        }
        await asyncio.to_thread(self.cloudwatch.put_metric_alarm, **settings)
        return str(settings["AlarmName"])

    async def put(self, value: float) -> None:
        """Put one high-resolution value."""
        datum = {
            "MetricName": "PrimaryHealthy",
            "Dimensions": [{"Name": "Region", "Value": "us-east-1"}],
            "Timestamp": datetime.now(UTC),
            "Value": value,
            "StorageResolution": 1,
        }
        await asyncio.to_thread(self.cloudwatch.put_metric_data, Namespace=self.namespace, MetricData=[datum])

    async def state(self, alarm: str) -> str:
        """What DescribeAlarms says."""
        found = await asyncio.to_thread(self.cloudwatch.describe_alarms, AlarmNames=[alarm])
        return str(found["MetricAlarms"][0]["StateValue"])

    async def until(self, alarm: str, state: str, within_s: float) -> float:
        """Wait for a state; how long that took."""
        began = time.monotonic()

        async def there() -> bool:
            return await self.state(alarm) == state

        await await_until(there, what=f"{alarm} to be {state}", timeout_s=within_s)
        return time.monotonic() - began


Scenario = Callable[[World], Any]
Run = Callable[[Scenario], None]


@pytest.fixture
def run(control_plane: RunLayout, aws_client: AwsClient) -> Run:
    """Runs a coroutine function with a World."""

    @contextlib.asynccontextmanager
    async def world() -> AsyncIterator[World]:
        made = World(control_plane, aws_client)
        async with CloudWatch(control_plane, REGION, made.invoke) as watch:
            reconciling = asyncio.create_task(run_reconcilers(control_plane, watch))
            try:
                yield made
            finally:
                reconciling.cancel()
                await asyncio.gather(reconciling, return_exceptions=True)

    def run_it(scenario: Scenario) -> None:
        async def whole() -> None:
            async with world() as made:
                await scenario(made)

        asyncio.run(whole())

    return run_it


def test_a_bad_metric_fires_the_alarm_into_the_function(run: Run) -> None:
    """Period 10 s, 3 of 3, pace 10: from the first zero to the function within 3.5 s, and not before two periods."""

    async def scenario(world: World) -> None:
        alarm = await world.alarm()
        assert await world.state(alarm) == "INSUFFICIENT_DATA"
        values = [1.0] * 6
        first_bad: list[float] = []

        async def canary() -> None:
            while True:
                if values:
                    values.pop()
                elif not first_bad:
                    first_bad.append(time.monotonic())
                await world.put(0.0 if first_bad else 1.0)
                await asyncio.sleep(0.3)

        putting = asyncio.create_task(canary())
        try:
            await world.until(alarm, "OK", within_s=4)
            assert world.invoked == []
            await world.until(alarm, "ALARM", within_s=8)
            await await_until(lambda: _true(world.invoked), what="the function to be invoked", timeout_s=1)
        finally:
            putting.cancel()
        at, function, event = world.invoked[0]
        assert 2.0 <= at - first_bad[0] < 3.6
        assert (len(world.invoked), function) == (1, FUNCTION)
        record = event["Records"][0]
        assert (record["EventSource"], record["Sns"]["TopicArn"]) == ("aws:sns", world.topic)
        assert record["Sns"]["Subject"] == f'ALARM: "{alarm}" in US West (Oregon)'
        message = json.loads(record["Sns"]["Message"])
        assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
        assert message["Trigger"]["Dimensions"] == [{"name": "Region", "value": "us-east-1"}]
        assert message["Trigger"]["Statistic"] == "MINIMUM"
        events = read_events(Path(world.layout.work_dir) / f"cloudwatch.{REGION}.events.jsonl")
        told = [(e.event, e.detail) for e in events if e.subject == alarm or e.detail == alarm]
        assert told == [("alarm.state", "OK"), ("alarm.state", "ALARM"), ("controller.invoked", alarm)]

    run(scenario)


def test_a_state_set_by_hand_fires_and_is_measured_away_again(run: Run) -> None:
    """SetAlarmState reaches the function within 250 ms; the next evaluation puts the measured state back."""

    async def scenario(world: World) -> None:
        alarm = await world.alarm(TreatMissingData="notBreaching")
        await world.until(alarm, "OK", within_s=3)
        began = time.monotonic()
        await asyncio.to_thread(
            world.cloudwatch.set_alarm_state, AlarmName=alarm, StateValue="ALARM", StateReason="a test"
        )
        await await_until(lambda: _true(world.invoked), what="the function to be invoked", timeout_s=2, every_s=0.005)
        assert world.invoked[0][0] - began < 0.3
        assert json.loads(world.invoked[0][2]["Records"][0]["Sns"]["Message"])["NewStateReason"] == "a test"
        await world.until(alarm, "OK", within_s=3)
        assert len(world.invoked) == 1

    run(scenario)


def test_disabled_actions_do_not_fire(run: Run) -> None:
    """Missing data that count as breaching raise the alarm, but with its actions disabled nothing is invoked."""

    async def scenario(world: World) -> None:
        alarm = await world.alarm(TreatMissingData="breaching", ActionsEnabled=False)
        await world.until(alarm, "ALARM", within_s=3)
        await asyncio.to_thread(world.cloudwatch.set_alarm_state, AlarmName=alarm, StateValue="OK", StateReason="x")
        await world.until(alarm, "ALARM", within_s=3)
        assert world.invoked == []

    run(scenario)


def test_changing_an_alarm_keeps_its_state(run: Run) -> None:
    """PutMetricAlarm on an alarm in ALARM leaves it there and fires nothing."""

    async def scenario(world: World) -> None:
        alarm = await world.alarm(TreatMissingData="breaching")
        await world.until(alarm, "ALARM", within_s=3)
        await await_until(lambda: _true(world.invoked), what="the function to be invoked", timeout_s=1)
        await world.alarm(TreatMissingData="breaching", AlarmDescription="changed")
        assert await world.state(alarm) == "ALARM"
        await asyncio.to_thread(world.cloudwatch.delete_alarms, AlarmNames=[alarm])
        assert len(world.invoked) == 1

    run(scenario)


def test_the_feed_keeps_stamps_and_order(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """What was put comes back with its own time, to the millisecond, and only once; unknown numbers give nothing."""
    cloudwatch = aws_client("cloudwatch", "us-east-1")
    stamp = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    data = [
        {"MetricName": "M", "Timestamp": stamp, "Values": [1.0, 2.0], "Counts": [3.0, 1.0]},
        {"MetricName": "M", "StatisticValues": {"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 5}},
    ]

    async def read(after: int) -> dict[str, Any]:
        async with Admin(control_plane) as admin:
            return await admin.cloudwatch_feed("us-east-1", after)

    before = asyncio.run(read(0))["last"]
    cloudwatch.put_metric_data(Namespace="N", MetricData=data)
    found = asyncio.run(read(before))
    assert found["last"] == before + 3
    sets = [(e["count"], e["sum"], e["min"], e["max"]) for e in found["entries"]]
    assert sets == [(3.0, 3.0, 1.0, 1.0), (1.0, 2.0, 2.0, 2.0), (4.0, 8.0, 1.0, 5.0)]
    assert found["entries"][0]["at"] == pytest.approx(stamp.timestamp(), abs=0.001)
    assert abs(found["entries"][2]["at"] - time.time()) < 5
    assert asyncio.run(read(found["last"]))["entries"] == []


async def _true(value: object) -> bool:
    return bool(value)
