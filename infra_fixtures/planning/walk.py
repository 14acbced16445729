"""Faults rehearsed on a world that stands: every call that each would make, without making it, and what would heal it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec
from botocore.exceptions import ParamValidationError

from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.faults.schedule import Schedule, Scheduled, require_all
from infra_fixtures.safety.guard import Guard, Guarded
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.rehearsal import Planned, PowerRehearsed
from infra_fixtures.safety.undo import AwsCall, AwsCallForEach, AwsInTurn, AwsUntil, Undo
from infra_fixtures.targets.parts import MissingPart
from infra_fixtures.targets.world import World


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault of the plan. at_s, for_s: as scheduled. calls: those that change something, in their order; `heals` undoes them.

    note: what of it could not be rehearsed, "" where all was.
    """

    fault: str
    parameters: str
    at_s: float
    for_s: float | None
    calls: tuple[Planned, ...] = ()
    heals: tuple[str, ...] = ()
    note: str = ""


def announced(schedule: Schedule, note: str) -> tuple[PlannedFault, ...]:
    """Faults that cannot be rehearsed, and why not."""
    return tuple(_planned(one, note=note) for one in schedule.faults)


def walked(world: World, schedule: Schedule) -> tuple[PlannedFault, ...]:
    """Rehearse a schedule's faults one after the other on the world as it is now.

    Raises Refused for a call that the guard would refuse, NotSupported, MissingPart and UnusableInput where the world cannot
    play it.
    """
    require_all(world, schedule)
    if not isinstance(world, Guarded):
        raise TypeError(f"{type(world).__name__} has no guard, so nothing can be rehearsed on it")
    return tuple(_walked(world, world.guard, one) for one in schedule.faults)


def _walked(world: World, guard: Guard, one: Scheduled) -> PlannedFault:
    undo: list[Undo] = []
    note = ""

    def learn(*more: Undo) -> None:
        undo[:0] = more

    with guard.rehearsing() as calls:
        try:
            injection = one.fault.prepare(world)
            undo.extend(injection.undo)
            injection.act(learn)
        except (Refused, NotSupported, MissingPart):
            raise
        except PowerRehearsed:
            note = "a power of the target, whose own calls are not AWS's and are not listed"
        except Exception as e:
            note = f"rehearsed up to here: as nothing was changed, it ends with {type(e).__name__}: {e}"
    _rehearse_healing(world, guard, undo)
    return _planned(one, calls=calls, heals=list(dict.fromkeys(map(_sentence, undo))), note=note)


def _rehearse_healing(world: World, guard: Guard, undo: Sequence[Undo]) -> None:
    """Judge what would be called to heal it: a fault that may be injected and not undone must never begin."""
    with guard.rehearsing():
        for step in (one for each in undo for one in (each.steps if isinstance(each, AwsInTurn) else (each,))):
            match step:
                case AwsCall():
                    _judge(world, step)
                case AwsCallForEach() if step.call.parameters:
                    _judge(world, step.call)  # with what is known of it: the rest is found once something is broken


def _judge(world: World, step: AwsCall) -> None:
    with contextlib.suppress(ParamValidationError):
        step.perform(world)


def _planned(
    one: Scheduled, *, calls: Sequence[Planned] = (), heals: Sequence[str] = (), note: str = ""
) -> PlannedFault:
    given = msgspec.to_builtins(one.fault)
    return PlannedFault(
        fault=one.fault.name,
        parameters=", ".join(f"{name} = {value}" for name, value in given.items() if name != "fault"),
        at_s=one.at_s,
        for_s=one.for_s,
        calls=tuple(calls),
        heals=tuple(heals),
        note=note,
    )


def _sentence(step: Undo) -> str:
    match step:
        case AwsCall():
            return f"{step.service} {step.operation} in {step.region or 'global'}"
        case AwsCallForEach():
            return (
                f"{step.call.service} {step.call.operation} in {step.call.region or 'global'}, for each that is found"
            )
        case AwsUntil():
            return f"waits for {step.what}"
        case AwsInTurn():
            return ", then ".join(map(_sentence, step.steps))
    named = ", ".join(str(value) for name, value in msgspec.to_builtins(step).items() if name != "type" and value)
    return f"{step.__struct_config__.tag} {named}".replace("_", " ").strip()
