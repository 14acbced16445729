"""Does everything serve as it should? Both regions deep-healthy, and the service's name leading to the primary."""

from __future__ import annotations

from drill.wait import wait_until
from infra_fixtures.targets.world import World
from probes.dns_answer import DnsAnswer
from probes.web import Client

TIMEOUT_S = 60.0


def await_steady_state(world: World, timeout_s: float = TIMEOUT_S) -> None:
    """Return when both regions pass their deep health check and Route 53 answers with the primary; else WaitTimeout."""
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
