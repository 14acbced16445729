"""A link as control APIs show it, and what the global process wants of the links inside a region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.link_rule import LinkRule

WRITER = "writer"
"""The link that is the cluster's writer endpoint, which has a role or none."""
INNER = (WRITER, "reader", "egress")
"""The links inside a region's VPC, which its own process carries."""


class LinksOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a region's process has to know of its links.

    It is the whole state and not a change: a process that missed orders needs only the last one. `number` grows with each
    order; one that arrives late does not undo a later one.
    """

    number: int
    writer_active: bool
    rules: Mapping[str, Mapping[str, LinkRule]]
    """By link, by identity."""


def obey(order: LinksOrder, links: Mapping[str, Link]) -> None:
    """Make the links of a region what the order says."""
    for name, link in links.items():
        link.set_rules(order.rules.get(name, {}))
    links[WRITER].set_active(order.writer_active)


def link_state(link: Link) -> dict[str, Any]:
    """A link for a person: its rules and what they come to, what the VPC's rules say, connections and bytes.

    `strangers` counts connections that were reset because a user who is not of the run listened behind the link.
    """
    return {
        "listen": str(link.listen),
        "target": str(link.target),
        "active": link.active,
        "rules": msgspec.to_builtins(link.rules),
        "conditions": msgspec.to_builtins(link.conditions),
        "admits": [msgspec.to_builtins(reachability) for reachability in link.source_reachability],
        "open": link.flows,
        "opened": link.opened,
        "strangers": link.strangers,
        "bytes_up": link.bytes_up,
        "bytes_down": link.bytes_down,
    }
