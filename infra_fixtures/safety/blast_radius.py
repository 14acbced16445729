"""How far what a run breaks has spread, and that it does not spread further than was allowed."""

from __future__ import annotations

import threading

from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.scope import BlastRadius, listed


class Spread:
    """The different resources that faults have touched so far; threads may share it. None: there is no limit."""

    def __init__(self, radius: BlastRadius | None) -> None:
        self._radius = radius
        self._lock = threading.Lock()
        self._touched: frozenset[tuple[str, str, str]] = frozenset()

    def take(self, what: str, service: str, region: str, names: tuple[str, ...]) -> None:
        """Count what a call names; raises Refused, and counts nothing, where that is too far."""
        if self._radius is None:
            return
        if service not in self._radius.services:
            raise Refused(
                what,
                f"{service} is none of the services within the blast radius ({listed(self._radius.services)})",
                "leave out the fault, or add it to blast_radius.services",
            )
        with self._lock:
            touched = self._touched | {(service, region, name) for name in names}
            if len(touched) > self._radius.resources:
                raise Refused(
                    what,
                    f"faults would touch {len(touched)} resources, and the blast radius is {self._radius.resources}",
                    "leave out a fault, or raise blast_radius.resources",
                )
            self._touched = touched
