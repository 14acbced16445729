"""No fault at all: what a drill must not pass."""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.fault import Fault, Injection
from infra_fixtures.targets.world import World


class Nothing(Fault, frozen=True):
    """Break nothing."""

    not_in_fis: ClassVar[str] = "there is nothing to do"

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known, done or undone."""
        return Injection("system", [], lambda _learn: None)
