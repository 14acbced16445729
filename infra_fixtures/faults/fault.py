"""What every fault is: a context manager that journals its undo, acts, and always heals."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

from drill.parts import Effect
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.safety.journal import Undo
from infra_fixtures.targets.world import Instant, World

P = TypeVar("P")
Fault = AbstractContextManager[Effect]


@dataclass(frozen=True, slots=True)
class NotSupported(Exception):
    """The target lacks the power a fault needs."""

    fault: str
    target: str
    power: str

    def __str__(self) -> str:
        return f"{self.fault} needs {self.power}, which the target {self.target} does not have"


@contextlib.contextmanager
def injected(
    world: World, name: str, subject: str, undo: Sequence[Undo], inject: Callable[[], Instant | None]
) -> Iterator[Effect]:
    """Journal `undo`, inject, yield the effect with its time stamps, and undo whatever happens meanwhile.

    `inject` may return a narrower instant than the call itself took, as a power does that stamps both sides of a signal.
    """
    entry = world.journal.begin(name, undo)
    try:
        began = time.monotonic_ns()
        instant = inject() or Instant(began, time.monotonic_ns())
        yield Effect(name, subject, instant.began_ns, instant.ended_ns)
    finally:
        undo_all(world, undo)
        world.journal.healed(entry)


def require(world: World, power: type[P], fault: str) -> P:
    """The world as that power, or NotSupported."""
    if not isinstance(world, power):
        raise NotSupported(fault, world.target, power.__name__)
    return world
