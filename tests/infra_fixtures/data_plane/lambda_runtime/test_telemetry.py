"""What the service tells CloudWatch."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.lambda_runtime import logs
from infra_fixtures.internal_api.clients import call
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

NAME = "told"


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function; a minute lasts 0.3 s for the service under test."""
    deploy(aws_client, NAME)
    return msgspec.structs.replace(control_plane, pace=200.0)


def test_logs_and_metrics_reach_cloudwatch(
    layout: RunLayout, aws_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a function printed stands in /aws/lambda/<name>, and Invocations and Errors count what happened."""
    monkeypatch.setattr(logs, "SHIP_EVERY_S", 0.3)
    log_api, metric_api = aws_client("logs"), aws_client("cloudwatch")

    def messages() -> list[str]:
        found = log_api.filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
        return [e["message"] for e in found]

    def total(metric: str) -> float:
        now = datetime.datetime.now(datetime.UTC)
        points = metric_api.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": NAME}],
            StartTime=now - datetime.timedelta(hours=1),
            EndTime=now + datetime.timedelta(hours=1),
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(p["Sum"] for p in points))

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            for _ in range(3):
                await ask(service, NAME, print="an order")
            failed, _ = await ask(service, NAME, **{"raise": "no"})

            async def shipped() -> bool:
                return await call(total, "Invocations") == 4

            await await_until(shipped, what="four invocations in CloudWatch", timeout_s=5)

            async def logged() -> bool:
                return any(f"END RequestId: {failed.request_id}" in m for m in await call(messages))

            await await_until(logged, what="the last invocation's log", timeout_s=5)
        assert total("Errors") == 1
        assert messages().count("an order") == 3
        assert any("ValueError: no" in m for m in messages())

    aws_client("logs").create_log_group(logGroupName=f"/aws/lambda/{NAME}")
    run(scenario())
