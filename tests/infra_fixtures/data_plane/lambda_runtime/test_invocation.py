"""One invocation: what comes back, what it may see, how it fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from infra_fixtures.run_layout import RUN_ID_VARIABLE, RunLayout
from tests.infra_fixtures.data_plane.deploying import HANDLER, deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

NAME = "plain"


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function, one that cannot be imported and one that dies at its start."""
    deploy(aws_client, NAME, Timeout=1, Environment={"Variables": {"ANSWER": "42"}})
    deploy(aws_client, "unimportable", "import pg9000\n" + HANDLER)
    deploy(aws_client, "stillborn", "import os; os._exit(7)\n" + HANDLER)
    return control_plane


def test_returns_what_the_function_returns(layout: RunLayout) -> None:
    """The payload, the configured environment, the deadline and the ARN are the function's; a warm worker serves again."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            first, one = await ask(service, NAME, key=7)
            arn = f"arn:aws:lambda:us-east-1:{layout.account_id}:function:{NAME}"
            second, two = await ask(service, arn, key=8)
        assert (first.status, first.function_error) == (200, None)
        assert one["echo"] == {"key": 7}
        assert one["answer"] == "42"
        assert one["arn"] == arn
        assert 0 < one["left_ms"] <= 1000
        assert (two["pid"], two["calls"]) == (one["pid"], 2)
        assert second.request_id != first.request_id

    run(scenario())


def test_nothing_of_the_host_leaks_into_a_function(layout: RunLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable of the harness's environment nor a package that AWS's runtime lacks is visible to a function."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-host's-own")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("SOME_TOKEN", "secret")

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            _, seen = await ask(service, NAME, environment=1)
            boto3, _ = await ask(service, NAME, **{"import": "boto3"})
            polars, said = await ask(service, NAME, **{"import": "polars"})
        assert "the-host's-own" not in seen.values()
        assert not {"AWS_PROFILE", "SOME_TOKEN", "VIRTUAL_ENV", "USER"} & seen.keys()
        assert seen["HOME"] != os.environ.get("HOME")
        assert seen[RUN_ID_VARIABLE] == layout.run_id
        assert seen["AWS_ENDPOINT_URL"] == layout.region("us-east-1").egress.url
        assert (seen["AWS_REGION"], seen["AWS_LAMBDA_FUNCTION_NAME"]) == ("us-east-1", NAME)
        assert boto3.function_error is None
        assert polars.function_error == "Unhandled"
        assert said["errorType"] == "ModuleNotFoundError"

    run(scenario())


def test_failures_are_worded_as_aws_words_them(layout: RunLayout) -> None:
    """A raise, an exit and a time-out each give their own error, and the next invocation works again."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            raised, said = await ask(service, NAME, **{"raise": "no"})
            assert (raised.function_error, said["errorType"], said["errorMessage"]) == ("Unhandled", "ValueError", "no")
            left, said = await ask(service, NAME, exit=3)
            assert left.function_error == "Unhandled"
            assert said["errorType"] == "Runtime.ExitError"
            reason = "Runtime exited with error: exit status 3"
            assert said["errorMessage"] == f"RequestId: {left.request_id} Error: {reason}"
            slow, said = await ask(service, NAME, sleep=30)
            assert slow.function_error == "Unhandled"
            assert said["errorMessage"] == f"RequestId: {slow.request_id} Error: Task timed out after 1.00 seconds"
            good, _ = await ask(service, NAME)
            assert good.function_error is None

    run(scenario())


def test_a_function_that_cannot_start_says_why(layout: RunLayout) -> None:
    """An import error and an exit at start reach the caller as function errors, each time anew."""

    async def scenario() -> None:
        async with reconciling(
            layout, settled=lambda s: s.find("stillborn") is s.find("unimportable") is None
        ) as service:
            for _ in range(2):
                result, said = await ask(service, "unimportable")
                assert result.function_error == "Unhandled"
                assert said["errorType"] == "Runtime.ImportModuleError"
                assert "pg9000" in said["errorMessage"]
            result, said = await ask(service, "stillborn")
            assert said["errorType"] == "Runtime.ExitError"
            assert "exit status 7" in said["errorMessage"]

    run(scenario())


def test_log_of_an_invocation_is_its_own(layout: RunLayout) -> None:
    """The log tail holds what this invocation printed between its START and REPORT lines, and nothing of the last."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            await ask(service, NAME, print="of the first")
            result, _ = await ask(service, NAME, print="of the second")
        lines = result.log_tail.decode().splitlines()
        assert lines[0] == f"START RequestId: {result.request_id} Version: $LATEST"
        assert lines[1:3] == ["of the second", f"END RequestId: {result.request_id}"]
        assert lines[3].startswith(f"REPORT RequestId: {result.request_id}\tDuration: ")

    run(scenario())


def test_unknown_function_is_not_found(layout: RunLayout) -> None:
    """A function that is not there gives 404 ResourceNotFoundException."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            result, said = await ask(service, "nobody")
        assert (result.status, result.error_type) == (404, "ResourceNotFoundException")
        assert said["Message"].endswith(":function:nobody")

    run(scenario())
