"""The Invoke API as boto3 speaks it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill.wait import await_until
from infra_fixtures.internal_api.clients import call
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import reconciling, run

NAME = "invoked"


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function."""
    deploy(aws_client, NAME)
    return control_plane


def test_boto3_invokes_through_the_regions_aws_endpoint(layout: RunLayout, aws_client: Callable[..., Any]) -> None:
    """RequestResponse, Event, DryRun, a function error with its log tail, 404 and 429 come out as boto3 knows them."""
    api = aws_client("lambda")

    async def invoke(**event: Any) -> Any:
        return await call(api.invoke, FunctionName=NAME, Payload=json.dumps(event), LogType="Tail")

    async def refused() -> Any:
        try:
            await invoke(key=2)
        except ClientError as e:
            return e.response
        return None

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None):
            good = await invoke(key=1)
            assert good["StatusCode"] == 200
            assert json.load(good["Payload"])["echo"] == {"key": 1}
            bad = await invoke(**{"raise": "no"})
            assert (bad["StatusCode"], bad["FunctionError"]) == (200, "Unhandled")
            assert b"[ERROR] ValueError: no" in base64.b64decode(bad["LogResult"])
            queued = await call(api.invoke, FunctionName=NAME, InvocationType="Event", Payload=b"{}")
            assert queued["StatusCode"] == 202
            dry = await call(api.invoke, FunctionName=NAME, InvocationType="DryRun", Payload=b"{}")
            assert dry["StatusCode"] == 204
            with pytest.raises(ClientError) as missing:
                await call(api.invoke, FunctionName="nobody", Payload=b"{}")
            assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"
            with pytest.raises(ClientError) as unreadable:
                await call(api.invoke, FunctionName=NAME, Payload=b"{not json")
            assert unreadable.value.response["Error"]["Code"] == "InvalidRequestContentException"
            await call(api.put_function_concurrency, FunctionName=NAME, ReservedConcurrentExecutions=0)
            throttled = await await_until(refused, what="the throttle", timeout_s=2)
            assert throttled["Error"]["Code"] == "TooManyRequestsException"
            assert throttled["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"

    run(scenario())
