"""Is everything as it should be? Both regions deep-healthy, the service's name leading to the primary, the alarm at rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.targets.world import World
from probes.dns_answer import DnsAnswer
from probes.web import Client

TIMEOUT_S = 60.0
AT_REST = "armed and OK"


def await_steady_state(world: World, timeout_s: float = TIMEOUT_S) -> None:
    """Return when both regions pass their deep health check, Route 53 answers with the primary, and the failover alarm is OK.

    Raises GateNotPassed, which names the region and says what is not so. From an alarm that is not OK no failover could
    come: it acts on changing.
    """
    for region in (world.primary, world.standby):
        with Client(world.regional(region)) as client:
            _await(
                region,
                "/health/deep did not answer 200",
                lambda client=client: client.status("/health/deep") or "no answer",  # type: ignore[misc]
                200,
                timeout_s=timeout_s,
            )
    names = DnsAnswer(world)
    _await(
        world.primary,
        "Route 53 did not answer with this region",
        lambda: names.answer() or "no answer",
        world.primary,
        timeout_s=timeout_s,
    )
    cloudwatch, alarm = world.client("cloudwatch", world.standby), world.deployed.alarm_name
    _await(
        world.standby,
        f"the failover alarm {alarm} was not {AT_REST}",
        lambda: _state(cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]),
        AT_REST,
        timeout_s=timeout_s,
    )


def _await(region: str, gate: str, look: Callable[[], object], wanted: object, *, timeout_s: float) -> None:
    seen: object = None

    def passed() -> bool:
        nonlocal seen
        seen = look()
        return seen == wanted

    try:
        wait_until(passed, what=gate, timeout_s=timeout_s, every_s=0.05)
    except WaitTimeout as e:
        raise GateNotPassed(region, f"{gate} within {timeout_s:g} s; the last look showed: {seen}") from e


def _state(alarms: Sequence[Mapping[str, Any]]) -> str:
    if not alarms:
        return "no such alarm"
    armed = "armed" if alarms[0]["ActionsEnabled"] else "disarmed"
    return f"{armed} and {alarms[0]['StateValue']}"
