"""Amazon Application Recovery Controller: routing controls and Region-switch plans, by their data planes.

A cluster of routing controls has five regional endpoints, of which some may be away at any time: every one is tried in turn
(https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.update.api.html). Several states are changed by one call, so
that they change together or not at all. A plan is executed in the region that it activates
(https://docs.aws.amazon.com/arc-region-switch/latest/api/API_StartPlanExecution.html).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.powers import Instant

T = TypeVar("T")
ClientAt = Callable[[str, str, str], Any]
"""A boto3 client by service, region and URL."""

ELSEWHERE = frozenset(
    {"EndpointTemporarilyUnavailableException", "ThrottlingException", "InternalServerException", "ConflictException"}
)
"""What another endpoint, or the same one a little later, may answer otherwise."""
ROUNDS = 4
BETWEEN_ROUNDS_S = 0.5
DONE = frozenset({"completed", "completedMonitoringApplicationHealth"})
STOPPED = frozenset({"failed", "canceled", "planExecutionTimedOut", "completedWithExceptions", "pausedByFailedStep"})
LOOK_EVERY_S = 2.0


class ArcFailed(Exception):
    """No endpoint did what was asked, or a plan did not come to its end; the message says which and why."""


def set_states(client_at: ClientAt, endpoints: Mapping[str, str], states: Mapping[str, str]) -> Instant:
    """Turn routing controls, by ARN, "On" or "Off", all at once; the instant is that of the call that did it."""
    entries = [{"RoutingControlArn": arn, "RoutingControlState": state} for arn, state in sorted(states.items())]

    def change(client: Any) -> Instant:
        began_ns = time.monotonic_ns()
        client.update_routing_control_states(UpdateRoutingControlStateEntries=entries)
        return Instant(began_ns, time.monotonic_ns())

    return _at_any(client_at, endpoints, change)


def states_of(client_at: ClientAt, endpoints: Mapping[str, str], arns: tuple[str, ...]) -> dict[str, str]:
    """Whether each is "On" or "Off"."""

    def read(client: Any) -> dict[str, str]:
        asked = {arn: client.get_routing_control_state(RoutingControlArn=arn) for arn in arns}
        return {arn: str(answer["RoutingControlState"]) for arn, answer in asked.items()}

    return _at_any(client_at, endpoints, read)


def _at_any(client_at: ClientAt, endpoints: Mapping[str, str], do: Callable[[Any], T]) -> T:
    """Do it at the first endpoint that answers, in a random order, some rounds long."""
    said: list[str] = []
    for number in range(ROUNDS):
        if number:
            time.sleep(BETWEEN_ROUNDS_S)
        for region, url in random.sample(sorted(endpoints.items()), len(endpoints)):
            try:
                return do(client_at("route53-recovery-cluster", region, url))
            except ClientError as e:
                if e.response["Error"]["Code"] not in ELSEWHERE:
                    raise
                said.append(f"{region}: {e.response['Error']['Code']}")
            except BotoCoreError as e:
                said.append(f"{region}: {type(e).__name__}")
    raise ArcFailed(
        f"none of the cluster's {len(endpoints)} endpoints did it, {ROUNDS} times each ({', '.join(said[-5:])})"
    )


def execute_plan(client: Any, plan: str, target: str, *, action: str, mode: str, timeout_s: float) -> Instant:
    """Execute a Region-switch plan and return once it is completed. Raises ArcFailed where it stops, or takes too long.

    Another execution that is under way is waited for.
    """
    ends_s = time.monotonic() + timeout_s
    while True:
        began_ns = time.monotonic_ns()
        try:
            started = client.start_plan_execution(planArn=plan, targetRegion=target, action=action, mode=mode)
            break
        except ClientError as e:
            if e.response["Error"]["Code"] not in ("ConflictException", "IllegalStateException"):
                raise
            if time.monotonic() > ends_s:
                raise ArcFailed(f"the plan {plan} could not be executed for {timeout_s:g} s: {e}") from e
        time.sleep(LOOK_EVERY_S)
    execution = str(started["executionId"])
    while True:
        state = str(client.get_plan_execution(planArn=plan, executionId=execution)["executionState"])
        if state in DONE:
            return Instant(began_ns, time.monotonic_ns())
        if state in STOPPED:
            raise ArcFailed(f"the execution {execution} of {plan} ended as {state}: look at its steps in the console")
        if time.monotonic() > ends_s:
            raise ArcFailed(f"the execution {execution} of {plan} is {state} after {timeout_s:g} s")
        time.sleep(LOOK_EVERY_S)
