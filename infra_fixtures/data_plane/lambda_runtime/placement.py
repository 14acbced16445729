"""Which availability zone a function's workers are in: those of the subnets in its VpcConfig.

AWS runs a function's environments in several zones, for one in a VPC those of its subnets (Lambda developer guide, "Giving
Lambda functions access to resources in an Amazon VPC"); here they take them in turn. A function outside a VPC runs in a
VPC of AWS's own: no API says in which zones, so its workers are in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra_fixtures.internal_api import clients
from infra_fixtures.run_layout import RunLayout


class Zones:
    """The zones of a region's subnets; a subnet never changes its zone, so each is asked for once."""

    def __init__(self, layout: RunLayout, region: str) -> None:
        self._layout = layout
        self._region = region
        self._known: dict[str, str] = {}

    async def of(self, subnets: Sequence[str]) -> tuple[str, ...]:
        """The zones of these subnets in their order, each once; a subnet that is not there has none."""
        if any(s not in self._known for s in subnets):
            ec2 = await clients.call(clients.client, self._layout, "ec2", self._region)
            described = await clients.call(ec2.describe_subnets)
            self._known = {s["SubnetId"]: s["AvailabilityZone"] for s in described["Subnets"]}
        return tuple(dict.fromkeys(self._known[s] for s in subnets if s in self._known))


def next_zone(zones: Sequence[str], taken: Iterable[str]) -> str:
    """The zone of a new worker: that which holds the fewest, the first of such; empty where there are no zones."""
    held = list(taken)
    return min(zones, key=held.count, default="")
