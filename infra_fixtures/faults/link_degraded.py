"""A link is slow, stalls, is narrow, cut, or turns connections away: one rule on it, beside whatever else is there."""

from __future__ import annotations

import secrets
from typing import ClassVar, Literal

from infra_fixtures.faults.fault import Fault, Injection, region_of
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.powers import REPLICATION, LinkName, LinkPower
from infra_fixtures.safety.undo import RemoveLinkRule, power
from infra_fixtures.targets.world import World


class LinkDegraded(Fault, frozen=True):
    """Put `rule` on a link; healing takes just that rule away, whatever other rules are there.

    `link` is one of a region's: edge (clients to the region), writer, reader (functions to the database), egress (functions
    to the AWS API), upstream (replication into the region); or both of `region` replication, the links between the regions.
    """

    not_in_fis: ClassVar[str] = (
        "its network actions deny traffic, and none delays or narrows it on the links of a region"
    )
    powers: ClassVar[tuple[type, ...]] = (LinkPower,)
    rule: LinkRule
    region: str = REPLICATION.scope
    link: Literal["edge", "writer", "reader", "egress", "upstream", "both"] = "both"

    def __post_init__(self) -> None:
        """Refuse a link that is not there."""
        if (self.region == REPLICATION.scope) != (self.link == REPLICATION.link):
            raise ValueError(
                f"{self.region} has no link {self.link}: both are those of replication, all others a region's"
            )

    def prepare(self, world: World) -> Injection:
        """Give the rule an identity of its own."""
        scope = self.region if self.region == REPLICATION.scope else region_of(world, self.region)
        name, rule = LinkName(scope, self.link), f"{self.name}-{secrets.token_hex(4)}"
        return Injection(
            f"{scope}/{self.link}",
            [RemoveLinkRule(scope, self.link, rule)],
            lambda _learn: power(world, LinkPower).add_link_rule(name, rule, self.rule),
        )
