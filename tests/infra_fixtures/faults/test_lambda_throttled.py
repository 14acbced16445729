"""A throttled function: AWS refuses every invocation, and nothing else is hurt."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from tests.real_world import System


def test_a_throttled_function_serves_nobody_until_it_is_given_back(system: System) -> None:
    """Every request of the region is refused while it stands; the reserved concurrency it had is given back."""
    world = system.world
    function = world.deployed.orders_function
    client = world.client("lambda", world.primary)
    reserved = _reserved(client, function)
    assert reserved
    with injected(world, LambdaThrottled(world.primary, function)):
        wait_until(
            lambda: "Internal server error" in system.primary.refusal(), what="orders to be refused", timeout_s=2
        )
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName=function, Payload=b'{"action": "ping"}')
        assert system.standby.web.status("/health/deep") == 200
    assert world.journal.open_entries() == []
    assert _reserved(client, function) == reserved
    wait_until(lambda: not system.primary.refusal(), what="orders to be taken again", timeout_s=5)


def test_a_function_without_a_reservation_has_none_afterwards(system: System) -> None:
    """Healing takes the reservation away again where there was none."""
    world = system.world
    function = world.deployed.canary_function
    client = world.client("lambda", world.standby)
    assert _reserved(client, function) is None
    with injected(world, LambdaThrottled(world.standby, function)):
        assert _reserved(client, function) == 0
    assert _reserved(client, function) is None


def test_an_unknown_function_is_not_journalled(system: System) -> None:
    """Nothing to throttle: the error is AWS's own, and the journal holds no fault that never was."""
    world = system.world
    before = world.journal.path.read_bytes()
    with (
        pytest.raises(ClientError, match="ResourceNotFoundException"),
        injected(world, LambdaThrottled(world.primary, "no-such-function")),
    ):
        pytest.fail("it was injected")
    assert world.journal.path.read_bytes() == before


def _reserved(client: Any, function: str) -> int | None:
    found: int | None = client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
    return found
