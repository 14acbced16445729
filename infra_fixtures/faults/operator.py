"""A person does it, where nothing may be automated: a cable, a console, a call to the network provider.

The person says when they begin and when it took effect: that is the bracket of the fault, as wide as a person is slow.
"""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.by_owner import harmed, injection, require_person, variables_of
from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection
from infra_fixtures.safety.way import Seconds, Way
from infra_fixtures.targets.world import World


class OperatorFault(Fault, frozen=True, tag="operator"):
    """Ask the person at the terminal to do `what` to `region` and to say when; `heal` takes it back, by default by asking to
    undo it, then `give_back` gives roles back. With `roles` it is a failover, and its `heal` the failback."""

    not_in_fis: ClassVar[str] = "none is done by a person"
    what: str
    heal: Way | None = None
    give_back: Way | None = None
    region: str = PRIMARY
    roles: bool = False
    effect: str = "it has taken effect"
    timeout_s: Seconds = 600.0

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The site, or the roles."""
        return harmed(self.region, roles=self.roles)

    @property
    def healing_variables(self) -> tuple[str, ...]:
        """Those of its healing."""
        return variables_of(self.heal, self.give_back)

    def check(self, world: World) -> None:
        """There must be a person."""
        require_person(world, self, self._act, self.heal, self.give_back)

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        heal = self.heal
        if heal is None and not self.roles:
            heal = Way(operator=f"Undo what was done: {self.what}", effect="it is undone", timeout_s=self.timeout_s)
        return injection(world, self._act, heal, self.give_back, region=self.region, roles=self.roles)

    @property
    def _act(self) -> Way:
        return Way(operator=self.what, effect=self.effect, timeout_s=self.timeout_s)
