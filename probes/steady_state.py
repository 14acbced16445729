"""Is everything as it should be? Both regions healthy, the service's name leading to the primary, the alarm at rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.targets.parts import AlarmPart, ApiPart, WorkloadPart, part_of
from infra_fixtures.targets.world import World
from probes.dns_answer import DnsAnswer
from probes.web import Client
from traffic.contract import Health

TIMEOUT_S, TIMEOUT_AT_AWS_PACE_S = 60.0, 300.0
"""After a switchover Route 53 and CloudWatch take minutes by AWS's own clock."""
AT_REST = "armed and OK"


def await_steady_state(world: World, timeout_s: float | None = None, *, roles: bool = True) -> None:
    """Return when the application is healthy in both regions, Route 53 answers with the primary, and the failover alarm is OK.

    Of these what the world has; without `roles` any region may serve. Raises GateNotPassed, which names the region and says
    what is not so. From an alarm that is not OK no failover could come: it acts on changing.
    """
    if timeout_s is None:
        timeout_s = TIMEOUT_S if world.pace > 1 else TIMEOUT_AT_AWS_PACE_S
    health, apis = part_of(world, WorkloadPart).contract.health, world.part(ApiPart)
    if health is not None and apis is not None:
        _await_healthy(world, health, apis, timeout_s)
    if roles and all(world.part(need) is not None for need in DnsAnswer.needs):
        names = DnsAnswer(world)
        _await(
            world.primary,
            "Route 53 did not answer with this region",
            lambda: names.answer() or "no answer",
            [world.primary],
            timeout_s=timeout_s,
        )
    alarm = world.part(AlarmPart)
    if alarm is not None:
        cloudwatch = world.client("cloudwatch", world.standby)
        _await(
            world.standby,
            f"the failover alarm {alarm.name} was not {AT_REST}",
            lambda: _state(cloudwatch.describe_alarms(AlarmNames=[alarm.name])["MetricAlarms"]),
            [AT_REST],
            timeout_s=timeout_s,
        )


def _await_healthy(world: World, health: Health, apis: ApiPart, timeout_s: float) -> None:
    gate = f"{health.path} did not answer {' or '.join(map(str, health.expect))}"
    for region in (world.primary, world.standby):
        with Client(apis.endpoints[region]) as client:
            _await(
                region,
                gate,
                lambda client=client: client.status(health.path) or "no answer",  # type: ignore[misc]
                health.expect,
                timeout_s=timeout_s,
            )


def _await(region: str, gate: str, read: Callable[[], object], expected: Sequence[object], *, timeout_s: float) -> None:
    seen: object = None

    def passed() -> bool:
        nonlocal seen
        seen = read()
        return seen in expected

    try:
        wait_until(passed, what=gate, timeout_s=timeout_s, every_s=0.05)
    except WaitTimeout as e:
        raise GateNotPassed(region, f"{gate} within {timeout_s:g} s; the last look showed: {seen}") from e


def _state(alarms: Sequence[Mapping[str, Any]]) -> str:
    if not alarms:
        return "no such alarm"
    armed = "armed" if alarms[0]["ActionsEnabled"] else "disarmed"
    return f"{armed} and {alarms[0]['StateValue']}"
