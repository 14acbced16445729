"""A link as control APIs show and steer it."""

from __future__ import annotations

from typing import Any

import msgspec

from infra_fixtures.data_plane.network.conditions import ConditionsRequest
from infra_fixtures.data_plane.network.link import Link


def apply_to_link(link: Link, request: ConditionsRequest) -> None:
    """Do to a link what was asked."""
    link.set_conditions(request.applied_to(link.conditions))
    if request.active is not None:
        link.set_active(request.active)
    if request.reset:
        link.reset()


def link_state(link: Link) -> dict[str, Any]:
    """A link for a person: conditions, what the VPC's rules say, connections and bytes."""
    return {
        "listen": str(link.listen),
        "target": str(link.target),
        "active": link.active,
        "conditions": msgspec.to_builtins(link.conditions),
        "admits": [msgspec.to_builtins(passage) for passage in link.passages],
        "open": link.flows,
        "opened": link.opened,
        "bytes_up": link.bytes_up,
        "bytes_down": link.bytes_down,
    }
