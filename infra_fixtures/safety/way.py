"""How something is done to an attached system, as a table of a TOML file says it: by a command, or by a person.

The same table says how it is broken, healed, failed over and failed back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from infra_fixtures.safety.undo import AskOperator, RunCommand, Step

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of `command` (a list of words, or a string for the shell) and `operator` (what a person is asked to do).

    A command must end within `timeout_s` seconds with a status of `exits`; it is given PATH, HOME and the variables that
    `environment` names. A person is asked when it took effect, in the words of `effect`, and has `timeout_s` for it.
    """

    command: str | Words | None = None
    operator: str | None = None
    timeout_s: Seconds = 600.0
    exits: tuple[int, ...] = (0,)
    environment: tuple[str, ...] = ()
    effect: str = "it has taken effect"

    def __post_init__(self) -> None:
        """ValueError where it says nothing, or two things."""
        if (self.command is None) == (self.operator is None):
            raise ValueError("give exactly one of command and operator")
        if not (self.command or self.operator):
            raise ValueError("command or operator is empty: say what is to be done")

    @property
    def needs_person(self) -> bool:
        """Whether a person at a terminal does it."""
        return self.operator is not None

    def step(self, records: Path, *, gives_roles: bool = False) -> Step:
        """As data that any process can perform; `records` is where what a command says is kept."""
        if self.command is not None:
            return RunCommand(
                self.command,
                self.timeout_s,
                self.exits,
                self.environment,
                directory=str(Path.cwd()),
                records=str(records.absolute()),
                gives_roles=gives_roles,
            )
        return AskOperator(str(self.operator), self.effect, self.timeout_s, gives_roles=gives_roles)

    def __str__(self) -> str:
        if self.command is None:
            return "a person"
        return self.command if isinstance(self.command, str) else " ".join(self.command)
