"""A link is slow, stalls, is narrow, cut, or turns connections away: one rule on it, beside whatever else is there."""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Injection, region_of
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.powers import REPLICATION, LinkName, LinkPower
from infra_fixtures.safety.undo import RemoveLinkRule, power
from infra_fixtures.targets.world import World


class LinkDegraded(Fault, frozen=True):
    """Put `rule` on a link; healing takes just that rule away.

    `region` is the link's scope (a region, primary, standby, or replication for the links between the regions), `link` one
    of edge (clients to the region), writer, reader (functions to the database), egress (functions to the AWS API),
    upstream (replication into the region), both (of replication). `rule_id` tells several such faults on one link apart.
    """

    needs: ClassVar[tuple[type, ...]] = (LinkPower,)
    rule: LinkRule
    region: str = REPLICATION.scope
    link: str = REPLICATION.link
    rule_id: str = "link_degraded"

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        between = self.region == REPLICATION.scope
        name = LinkName(self.region if between else region_of(world, self.region), self.link)
        return Injection(
            f"{name.scope}/{name.link}",
            [RemoveLinkRule(name.scope, name.link, self.rule_id)],
            lambda _learn: power(world, LinkPower).add_link_rule(name, self.rule_id, self.rule),
        )
