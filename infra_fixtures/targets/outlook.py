"""What is known of a target's systems before one stands: enough to refuse a scenario that none of them can play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outlook:
    """The regions by their roles, and whether a system there has a power (`infra_fixtures.powers`) or a part
    (`infra_fixtures.targets.parts`)."""

    target: str
    primary: str
    standby: str
    has_power: Callable[[type], bool]
    has_part: Callable[[type], bool]
