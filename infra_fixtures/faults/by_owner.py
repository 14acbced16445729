"""What the faults have in common that the owner of an attached system described: a command's, and a person's."""

from __future__ import annotations

from typing import Any

from infra_fixtures.faults.fault import Fault, Harmed, Injection, NotSupported, region_of
from infra_fixtures.powers import Instant
from infra_fixtures.safety.bounded_command import HOME
from infra_fixtures.safety.guard import Guarded
from infra_fixtures.safety.operator_prompt import has_terminal
from infra_fixtures.safety.undo import AskOperator, Step
from infra_fixtures.safety.way import Way
from infra_fixtures.targets.world import World

TERMINAL = "a terminal at which a person can be asked"


def harmed(region: str, *, roles: bool) -> tuple[Harmed, ...]:
    """What moves roles harms them, everything else the site."""
    return (Harmed("", "roles"),) if roles else (Harmed(region, "site"),)


def require_person(world: World, fault: Fault, *ways: Way | None) -> None:
    """Raise NotSupported where one of these is done by a person and there is none to be asked."""
    if any(way is not None and way.needs_person for way in ways) and not has_terminal():
        raise NotSupported(fault.name, world.target, TERMINAL)


def variables_of(*ways: Way | None) -> tuple[str, ...]:
    """Those that programs are given, by name."""
    named = dict.fromkeys(name for way in ways if way is not None for name in way.environment)
    return (HOME, *named) if any(way is not None for way in ways) else ()


def injection(
    world: World, act: Way, heal: Way | None, give_back: Way | None, *, region: str, roles: bool
) -> Injection:
    """The act and its undo: first what heals, then what gives roles back."""
    records = world.journal.path.parent
    step = act.step(records)
    undo: list[Any] = []
    if heal is not None:
        undo.append(heal.step(records, gives_roles=roles))
    if give_back is not None:
        undo.append(give_back.step(records, gives_roles=True))
    place = world.standby if roles else region_of(world, region)
    subject = f"{world.primary}->{world.standby}" if roles else place
    return Injection(subject, undo, lambda _learn: perform(world, step, place))


def perform(world: World, step: Step, region: str) -> Instant:
    """Do it, once the world's guard lets it: what it does is no AWS call of ours, so a rehearsal notes it and ends here."""
    if isinstance(world, Guarded):
        world.guard.allow_power("ask_operator" if isinstance(step, AskOperator) else "run_command", region)
    return step.perform(world)
