"""How many workers there are, and who is throttled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.lambda_runtime import InvokeResult
from infra_fixtures.internal_api.clients import call
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import HANDLER, deploy, zipped
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

NAME = "scaled"


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function."""
    deploy(aws_client, NAME)
    return control_plane


def test_concurrent_invocations_get_workers_of_their_own(layout: RunLayout) -> None:
    """Three invocations at once run in three processes, each one at a time."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            answers = await asyncio.gather(*(ask(service, NAME, sleep=0.5) for _ in range(3)))
            assert len({said["pid"] for _, said in answers}) == 3
            assert service.workers(NAME) == 3

    run(scenario())


def test_reserved_concurrency_zero_throttles_at_once_and_ends_at_once(
    layout: RunLayout, aws_client: Callable[..., Any]
) -> None:
    """From PutFunctionConcurrency(0) to 429 and from its deletion to service again takes at most 250 ms."""
    api = aws_client("lambda")

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            await ask(service, NAME)
            await call(api.put_function_concurrency, FunctionName=NAME, ReservedConcurrentExecutions=0)

            async def throttled() -> InvokeResult | None:
                result, _ = await ask(service, NAME)
                return result if result.status == 429 else None

            async def serving() -> bool:
                return await throttled() is None

            result = await await_until(throttled, what="the throttle", timeout_s=0.25, every_s=0.005)
            assert result is not None
            assert result.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
            assert result.error_type == "TooManyRequestsException"
            await call(api.delete_function_concurrency, FunctionName=NAME)
            await await_until(serving, what="service again", timeout_s=0.25, every_s=0.005)

    run(scenario())


def test_reserved_concurrency_bounds_what_runs_at_once(layout: RunLayout, aws_client: Callable[..., Any]) -> None:
    """Of three invocations at once under a limit of two, two run and one is throttled."""
    api = aws_client("lambda")
    api.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=2)

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            answers = await asyncio.gather(*(ask(service, NAME, sleep=0.3) for _ in range(3)))
        assert sorted(result.status for result, _ in answers) == [200, 200, 429]

    try:
        run(scenario())
    finally:
        api.delete_function_concurrency(FunctionName=NAME)


def test_new_code_and_configuration_replace_workers_without_a_failure(
    layout: RunLayout, aws_client: Callable[..., Any]
) -> None:
    """While one caller keeps invoking, an update of code and environment takes effect and no invocation fails."""
    api = aws_client("lambda")

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            _, before = await ask(service, NAME)
            running = asyncio.create_task(ask(service, NAME, sleep=0.4))
            new = HANDLER.replace('"calls": calls', '"calls": "new code"')
            await call(api.update_function_code, FunctionName=NAME, ZipFile=zipped(new))
            await call(
                api.update_function_configuration, FunctionName=NAME, Environment={"Variables": {"ANSWER": "43"}}
            )
            async with asyncio.timeout(5):
                while True:
                    result, after = await ask(service, NAME)
                    assert (result.status, result.function_error) == (200, None)
                    if after["calls"] == "new code" and after["answer"] == "43":
                        break
            drained, _ = await running
            assert drained.function_error is None
            assert after["pid"] != before["pid"]

            async def gone() -> bool:
                return before["pid"] not in service.pids(NAME)

            await await_until(gone, what="the drained worker's end", timeout_s=1)

    run(scenario())


def test_no_op_invocations_are_cheap(layout: RunLayout) -> None:
    """Four callers get well over a thousand no-op invocations a second out of the workers."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:

            async def caller(count: int) -> None:
                for _ in range(count):
                    assert (await service.invoke(NAME, b"{}")).status == 200

            await asyncio.gather(*(caller(20) for _ in range(4)))
            began_s = time.process_time()
            await asyncio.gather(*(caller(250) for _ in range(4)))
            used_s = time.process_time() - began_s
        assert used_s < 0.5, f"1,000 invocations cost this process {used_s:.3f} s of CPU"

    run(scenario())


def test_provisioned_concurrency_starts_workers_ahead(layout: RunLayout, aws_client: Callable[..., Any]) -> None:
    """Workers of an alias come up without an invocation, and serve its version; $LATEST has none of them."""
    api = aws_client("lambda")
    version = api.publish_version(FunctionName=NAME)["Version"]
    api.create_alias(FunctionName=NAME, Name="live", FunctionVersion=version)

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME, "live") is None) as service:
            assert service.workers(NAME, "live") == 0
            await call(
                api.put_provisioned_concurrency_config,
                FunctionName=NAME,
                Qualifier="live",
                ProvisionedConcurrentExecutions=3,
            )

            async def up() -> bool:
                return service.workers(NAME, "live") == 3

            await await_until(up, what="three workers", timeout_s=5)
            result, said = await ask(service, f"{NAME}:live", environment=1)
            assert result.executed_version == version
            assert said["AWS_LAMBDA_INITIALIZATION_TYPE"] == "provisioned-concurrency"
            assert service.workers(NAME) == 0

    run(scenario())
