"""A command of the owner of an attached system: it breaks something, or moves roles, and another command takes it back.

The command's own begin and end are the bracket of the fault: let it return when what it does has taken effect.
"""

from __future__ import annotations

from typing import ClassVar

from infra_fixtures.faults.by_owner import harmed, injection, require_person, variables_of
from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection
from infra_fixtures.safety.way import Seconds, Way, Words
from infra_fixtures.targets.world import World


class CommandFault(Fault, frozen=True, tag="command"):
    """Run `command` (a list of words, or a string for the shell) to break `region`; `heal` takes it back, then `give_back`
    gives roles back. With `roles` the command is a failover, and its `heal` the failback, which may be left away where roles
    go back by themselves."""

    not_in_fis: ClassVar[str] = "none runs a command outside AWS"
    command: str | Words
    heal: Way | None = None
    give_back: Way | None = None
    region: str = PRIMARY
    roles: bool = False
    timeout_s: Seconds = 600.0
    exits: tuple[int, ...] = (0,)
    environment: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """ValueError where nothing would undo it: it would be called healed at once."""
        if self.heal is None and not self.roles:
            raise ValueError("there is no heal: say how it is undone, or nothing will be broken")

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The site, or the roles."""
        return harmed(self.region, roles=self.roles)

    @property
    def healing_variables(self) -> tuple[str, ...]:
        """Those of its healing."""
        return variables_of(self.heal, self.give_back)

    def check(self, world: World) -> None:
        """Its healing may be a person's."""
        require_person(world, self, self.heal, self.give_back)

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""
        act = Way(command=self.command, timeout_s=self.timeout_s, exits=self.exits, environment=self.environment)
        return injection(world, act, self.heal, self.give_back, region=self.region, roles=self.roles)
