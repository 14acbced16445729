"""The link between the regions carries nothing: replication hangs, and nobody is told."""

from __future__ import annotations

import secrets
from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Injection
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.powers import REPLICATION, LinkPower
from infra_fixtures.safety.undo import RemoveLinkRule, power
from infra_fixtures.targets.world import World


class ReplicationCut(Fault, frozen=True):
    """Cut the inter-region link both ways; healing lets it carry again, whatever else is wrong with it."""

    not_in_fis: ClassVar[str] = "none stops the replication of an Aurora global database"
    powers: ClassVar[tuple[type, ...]] = (LinkPower,)

    def prepare(self, world: World) -> Injection:
        """Give the rule an identity of its own."""
        rule = f"{self.name}-{secrets.token_hex(4)}"
        return Injection(
            f"{world.primary}->{world.standby}",
            [RemoveLinkRule(REPLICATION.scope, REPLICATION.link, rule)],
            lambda _learn: power(world, LinkPower).add_link_rule(REPLICATION, rule, LinkRule(cut=True)),
        )
