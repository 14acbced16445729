"""Is everything as it should be? Both regions deep-healthy, the service's name leading to the primary, the alarm at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drill.wait import wait_until
from infra_fixtures.targets.world import World
from probes.dns_answer import DnsAnswer
from probes.web import Client

TIMEOUT_S = 60.0


def await_steady_state(world: World, timeout_s: float = TIMEOUT_S) -> None:
    """Return when both regions pass their deep health check, Route 53 answers with the primary, and the failover alarm is OK.

    Raises WaitTimeout that says what is not so. From an alarm that is not OK no failover could come: it acts on changing.
    """
    for region in (world.primary, world.standby):
        client = Client(world.regional(region))
        wait_until(
            lambda client=client: client.status("/health/deep") == 200,  # type: ignore[misc]
            what=f"{region} to be healthy through to its database",
            timeout_s=timeout_s,
            every_s=0.05,
        )
    names = DnsAnswer(world)
    wait_until(
        lambda: names.answer() == world.primary,
        what=f"Route 53 to answer with {world.primary}",
        timeout_s=timeout_s,
        every_s=0.05,
    )
    cloudwatch, alarm = world.client("cloudwatch", world.standby), world.deployed.alarm_name
    wait_until(
        lambda: _at_rest(cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]),
        what=f"the failover alarm {alarm} to be armed and OK",
        timeout_s=timeout_s,
        every_s=0.1,
    )


def _at_rest(alarms: Sequence[Mapping[str, Any]]) -> bool:
    return any(alarm["ActionsEnabled"] and alarm["StateValue"] == "OK" for alarm in alarms)
