"""Which record sets of a group Route 53 may answer with, given what is healthy.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html and
.../dns-failover-types.html. Latency and geolocation know nothing of where a client sits: latency prefers the regions
in the order given, geolocation the first healthy set.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from infra_fixtures.data_plane.route53.records import Group, Record

MOST_VALUES = 8
"""A multivalue answer has at most eight records."""

Healthy = Callable[[Record], bool]


def eligible(group: Group, healthy: Healthy, regions: Sequence[str]) -> Group:
    """The sets from which an answer may be chosen now; never empty where the group is not.

    Where all are unhealthy, all count as healthy: a failover group then answers with its primary.
    """
    first = group[0]
    if first.simple:
        return group
    if first.failover:
        return (_failover(group, healthy),)
    well = tuple(r for r in group if healthy(r))
    if first.weight is not None:
        return _weighted(group, well)
    if first.region:
        order = {name: at for at, name in enumerate(regions)}
        return (min(well or group, key=lambda r: order.get(r.region or "", len(order))),)
    if first.multivalue:
        return well or group
    return (well or group)[:1]


def choose(candidates: Group, chance: random.Random) -> Group:
    """What one answer is made of: one of the weighted sets by weight, up to eight of the multivalue ones."""
    if len(candidates) == 1:
        return candidates
    if candidates[0].weight is not None:
        weights = [r.weight or 0 for r in candidates]
        # "If you set Weight to 0 for all of the records in the group, traffic is routed to all with equal probability."
        return (chance.choices(candidates, weights if any(weights) else None)[0],)
    return tuple(chance.sample(candidates, min(MOST_VALUES, len(candidates))))


def _failover(group: Group, healthy: Healthy) -> Record:
    primary = next((r for r in group if r.failover == "PRIMARY"), None)
    secondary = next((r for r in group if r.failover == "SECONDARY"), None)
    if primary is None or (secondary is not None and not healthy(primary) and healthy(secondary)):
        return secondary or group[0]
    return primary


def _weighted(group: Group, well: Group) -> Group:
    """Zero-weighted sets are considered only where all others are unhealthy."""
    heavy = tuple(r for r in well if r.weight)
    if heavy:
        return heavy
    return well or tuple(r for r in group if r.weight) or group
