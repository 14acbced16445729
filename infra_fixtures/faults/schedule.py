"""Faults over time: each with a start and perhaps a duration, overlapping at will. A schedule is a value, as a fault is.

The fault that a drill measures is its main one: that from which the recovery time counts. What began before it has
degraded the system already; what begins later makes recovery harder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from drill.objective import nearest
from drill.parts import Effect
from drill.unusable import UnusableInput
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.fault import HARNESS, Fault, Standing, require
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.targets.world import World

NS = 10**9


class Scheduled(msgspec.Struct, frozen=True):
    """A fault that begins `at_s` seconds after the first one took effect, and is healed `for_s` seconds after it took
    effect itself (None: when the schedule ends)."""

    fault: Fault
    at_s: float = 0.0
    for_s: float | None = None
    main: bool = False


class Schedule(msgspec.Struct, frozen=True):
    """Faults in the order in which they begin."""

    faults: tuple[Scheduled, ...]

    def __post_init__(self) -> None:
        """Put them in order; raises UnusableInput where they make no schedule."""
        for one in self.faults:
            if not (math.isfinite(one.at_s) and one.at_s >= 0):
                raise UnusableInput(f"{one.fault.name} is to begin at_s = {one.at_s}: give seconds of 0 or more")
            if one.for_s is not None and not (math.isfinite(one.for_s) and one.for_s > 0):
                raise UnusableInput(
                    f"{one.fault.name} is to last for_s = {one.for_s}: give seconds above 0, or leave it"
                )
        if not self.faults:
            raise UnusableInput("a schedule needs a fault: nothing is one too")
        if sum(one.main for one in self.faults) > 1:
            raise UnusableInput("only one fault of a schedule can be its main one")
        ordered = tuple(sorted(self.faults, key=lambda one: one.at_s))
        shift = ordered[0].at_s
        msgspec.structs.force_setattr(
            self, "faults", tuple(msgspec.structs.replace(one, at_s=one.at_s - shift) for one in ordered)
        )
        _refuse_entangled(self.faults)

    @classmethod
    def of(cls, *faults: Fault | Scheduled) -> Schedule:
        """Of faults, those that are not scheduled at once."""
        return cls(tuple(f if isinstance(f, Scheduled) else Scheduled(f) for f in faults))

    @property
    def main(self) -> Scheduled:
        """The fault that is measured: the one said to be, else the last one to begin."""
        return next((one for one in self.faults if one.main), self.faults[-1])

    def to_tables(self) -> list[dict[str, Any]]:
        """Its `[[faults]]` tables in TOML."""
        return [_table(one) for one in self.faults]

    @classmethod
    def from_tables(cls, tables: object, *, source: str) -> Schedule:
        """Read `[[faults]]` tables; UnusableInput names what is not understood."""
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            raise UnusableInput(f"{source}: [[faults]] are tables, each with the name of a fault")
        return cls(tuple(_scheduled(table, source) for table in tables))


class _Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at_s: float = 0.0
    for_s: float | None = None
    main: bool = False

    def of(self, fault: Fault) -> Scheduled:
        return Scheduled(fault, self.at_s, self.for_s, self.main)


class Told(Protocol):
    """Notes what happens to the system (`drill.parts.Recorder.mark`)."""

    def __call__(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Now, or at time.monotonic_ns()."""


@contextlib.contextmanager
def injected_in_turn(world: World, schedule: Schedule, tell: Told) -> Iterator[Effect]:
    """Play a schedule: yields the main fault's effect once it took effect; what is scheduled later happens meanwhile.

    At the end everything that still stands is healed. `tell` is given degraded.begin, degraded.effective and
    degraded.healed of other faults than the main one, and fault.over where the main one ends by itself.
    """
    for one in schedule.faults:
        require(world, one.fault)
    play = _Play(world, schedule, tell)
    try:
        effect = play.until_main()
        later = threading.Thread(target=play.go_on, name="schedule", daemon=True)
        later.start()
        try:
            yield effect
        finally:
            play.stop.set()
            later.join()
    finally:
        undo_all(world, world.journal, HARNESS)


class _Play:
    """One play of a schedule; the journal knows what stands, this knows when it is due to be healed."""

    def __init__(self, world: World, schedule: Schedule, tell: Told) -> None:
        self.stop = threading.Event()
        self._world = world
        self._schedule = schedule
        self._main = schedule.faults.index(schedule.main)
        self._tell = tell
        self._due: list[tuple[float, int, Standing, Effect]] = []
        self._first_ns = 0

    def until_main(self) -> Effect:
        """Everything up to the main fault; its effect, with those of the faults before it."""
        effects = []
        for number in range(self._main + 1):
            self._heal_due(self._at_ns(number))
            effects.append(self._inject(number))
            self._first_ns = self._first_ns or effects[0].effective_ns
        ends_s = max(one.at_s + (one.for_s or 0.0) for one in self._schedule.faults)
        return dataclasses.replace(
            effects[-1], earlier=tuple(effects[:-1]), lasts_until_ns=self._first_ns + round(ends_s * NS)
        )

    def go_on(self) -> None:
        """Everything after it; an error is told, and stays what the drill cannot prove."""
        try:
            for number in range(self._main + 1, len(self._schedule.faults)):
                self._heal_due(self._at_ns(number))
                if self.stop.is_set():
                    return
                effect = self._inject(number)
                self._tell("degraded.begin", effect.subject, effect.fault, effect.began_ns)
                self._tell("degraded.effective", effect.subject, effect.fault, effect.effective_ns)
            self._heal_due(math.inf)
        except Exception as e:
            self._tell("fault.failed", "schedule", f"{type(e).__name__}: {e}")

    def _at_ns(self, number: int) -> float:
        return self._first_ns + self._schedule.faults[number].at_s * NS

    def _inject(self, number: int) -> Effect:
        one = self._schedule.faults[number]
        standing = Standing(self._world, one.fault)
        effect = standing.inject()
        if one.for_s is not None:
            self._due.append((effect.effective_ns + one.for_s * NS, number, standing, effect))
            self._due.sort(key=lambda due: due[:2])
        return effect

    def _heal_due(self, until_ns: float) -> None:
        """Wait until an instant, healing what becomes due; returns early when told to stop, and where nothing is awaited."""
        while not self.stop.is_set():
            next_ns = min(until_ns, self._due[0][0] if self._due else math.inf)
            if next_ns == math.inf or self.stop.wait(max(0.0, (next_ns - time.monotonic_ns()) / NS)):
                return
            if not self._due or self._due[0][0] > until_ns:
                return
            _, number, standing, effect = self._due.pop(0)
            standing.heal()
            self._tell("fault.over" if number == self._main else "degraded.healed", effect.subject, effect.fault)


def _table(one: Scheduled) -> dict[str, Any]:
    """One fault's table: what is as by default is left out."""
    times = {"at_s": one.at_s, "for_s": one.for_s, "main": one.main}
    return {**msgspec.to_builtins(one.fault), **{name: value for name, value in times.items() if value}}


def _scheduled(table: dict[str, Any], source: str) -> Scheduled:
    name = table.get("fault")
    kind = catalogue().get(str(name))
    if kind is None:
        raise UnusableInput(f"{source}: there is no fault {name}: {nearest(str(name), catalogue())}")
    times = {k: v for k, v in table.items() if k in ("at_s", "for_s", "main")}
    try:
        fault = msgspec.convert({k: v for k, v in table.items() if k not in times}, type=kind)
        return msgspec.convert(times, type=_Times).of(fault)
    except msgspec.ValidationError as e:
        raise UnusableInput(f"{source}: the fault {name} is not understood: {e}") from None


def _refuse_entangled(faults: tuple[Scheduled, ...]) -> None:
    """The same fault twice at a time is refused where the first ends while the second stands.

    Its healing would give back what was before, in the middle of the second.
    """
    for number, one in enumerate(faults):
        ends = math.inf if one.for_s is None else one.at_s + one.for_s
        for other in faults[number + 1 :]:
            other_ends = math.inf if other.for_s is None else other.at_s + other.for_s
            if other.fault == one.fault and other.at_s < ends < other_ends:
                raise UnusableInput(
                    f"{one.fault.name} would be healed while the same fault stands again: let the second end before the "
                    "first, or begin after it"
                )
