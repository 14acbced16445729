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
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from drill.objective import nearest
from drill.parts import Effect, Tell
from drill.unusable import UnusableInput
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.described import Described
from infra_fixtures.faults.fault import HARNESS, Fault, InjectedFault, region_of, require
from infra_fixtures.faults.following import Following
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.parts import BreakPart, part_of
from infra_fixtures.targets.world import World

NS = 10**9
LONGEST_S = 86_400.0
ENDED_WITHIN_S = 0.05
"""How soon a schedule notices that its drill was ended."""


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
            if not 0 <= one.at_s <= LONGEST_S:
                raise UnusableInput(
                    f"{one.fault.name} is to begin at_s = {one.at_s}: give seconds of 0 or more, at most {LONGEST_S:g}"
                )
            if one.for_s is not None and not 0 < one.for_s <= LONGEST_S:
                raise UnusableInput(
                    f"{one.fault.name} is to last for_s = {one.for_s}: give seconds above 0, at most {LONGEST_S:g}, or "
                    "leave it"
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

    @property
    def healing_variables(self) -> tuple[str, ...]:
        """The names of environment variables that whoever undoes any of them must have."""
        return tuple(dict.fromkeys(name for one in self.faults for name in one.fault.healing_variables))

    def in_world(self, world: World) -> Schedule:
        """The same, with what the system's own description says in place of each `Described`; raises NotSupported."""
        found: list[Scheduled] = []
        for one in self.faults:
            if not isinstance(one.fault, Described):
                found.append(one)
                continue
            require(world, one.fault)
            told = Schedule.from_tables(list(part_of(world, BreakPart).faults), source="the system's description")
            found += [
                msgspec.structs.replace(f, at_s=one.at_s + f.at_s, for_s=f.for_s or one.for_s) for f in told.faults
            ]
        return Schedule(tuple(found))

    def to_tables(self) -> list[dict[str, Any]]:
        """Its `[[faults]]` tables in TOML."""
        return [_table(one) for one in self.faults]

    @classmethod
    def from_tables(cls, tables: object, *, source: str) -> Schedule:
        """Read `[[faults]]` tables; UnusableInput names what is not understood."""
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            raise UnusableInput(f"{source}: [[faults]] are tables, each with the name of a fault")
        faults = tuple(_scheduled(table, source) for table in tables)
        try:
            return cls(faults)
        except UnusableInput as e:
            raise UnusableInput(f"{source}: {e}") from e


class _Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at_s: float = 0.0
    for_s: float | None = None
    main: bool = False

    def of(self, fault: Fault) -> Scheduled:
        return Scheduled(fault, self.at_s, self.for_s, self.main)


class Ended(Exception):
    """The drill was ended before a fault of its schedule had come; the message names it."""


@contextlib.contextmanager
def injected_in_turn(
    world: World, schedule: Schedule, tell: Tell, ended: threading.Event | None = None
) -> Iterator[Effect]:
    """Play a schedule: yields the main fault's effect once it took effect; what is scheduled later happens meanwhile.

    Once `ended` is set nothing more is injected. At the end everything that still stands is healed. `tell` is given
    degraded.begin, degraded.effective and degraded.healed of other faults than the main one, fault.ending and fault.over around
    the healing of a main one that ends by itself, fault.failed for what could not be injected, or never came, and what a fault
    tells of what goes on by itself (`infra_fixtures.faults.following`).
    """
    require_all(world, schedule)
    play = _Play(world, schedule, tell, ended or threading.Event())
    try:
        effect = play.until_main()
        later = threading.Thread(target=play.go_on, name="schedule", daemon=True)
        later.start()
        try:
            yield effect
        finally:
            play.stop.set()
            later.join()
            play.tell_what_never_came()
    finally:
        with play.concluding():
            undo_all(world, world.journal, HARNESS)


def require_all(world: World | Outlook, schedule: Schedule) -> None:
    """Raise NotSupported where the world lacks what a fault needs; UnusableInput where they cannot stand together there."""
    for one in schedule.faults:
        require(world, one.fault)
    _refuse_entangled(schedule.faults, lambda region: region_of(world, region))


class _Play:
    """One play of a schedule; the journal knows what stands, this knows when it is due to be healed."""

    def __init__(self, world: World, schedule: Schedule, tell: Tell, ended: threading.Event) -> None:
        self.stop = threading.Event()
        self._ended = ended
        self._world = world
        self._schedule = schedule
        self._main = schedule.faults.index(schedule.main)
        self._tell = tell
        self._due: list[tuple[float, int, InjectedFault, Effect]] = []
        self._followed: dict[int, Following] = {}
        self._first_ns = 0
        self._come = 0
        """How many have been injected: they come in their order."""
        self._quiet_ns: int | None = None

    def until_main(self) -> Effect:
        """Everything up to the main fault; its effect, with those of the faults before it. Raises Ended."""
        effects = []
        for number in range(self._main + 1):
            self._heal_due(self._at_ns(number))
            if self._over:
                raise Ended(f"the drill was ended before {self._schedule.faults[number].fault.name} came")
            effects.append(self._inject(number))
            self._first_ns = self._first_ns or effects[0].effective_ns
        return dataclasses.replace(effects[-1], earlier=tuple(effects[:-1]), quiet_since=self._quiet_since)

    def go_on(self) -> None:
        """Everything after it; an error is told, and stays what the drill cannot prove."""
        try:
            for number in range(self._main + 1, len(self._schedule.faults)):
                self._heal_due(self._at_ns(number))
                if self._over:
                    return
                effect = self._inject(number)
                self._tell("degraded.begin", effect.subject, effect.fault, effect.began_ns)
                self._tell("degraded.effective", effect.subject, effect.fault, effect.effective_ns)
            self._heal_due(math.inf)
        except Exception as e:
            self._tell("fault.failed", "schedule", f"{type(e).__name__}: {e}")
        finally:
            self._quiet_ns = time.monotonic_ns()

    def tell_what_never_came(self) -> None:
        """A drill that ended before all of its faults had come does not prove what it was to prove."""
        for one in self._schedule.faults[self._come :]:
            self._tell("fault.failed", "schedule", f"the observation ended before {one.fault.name} came")

    @contextlib.contextmanager
    def concluding(self, number: int | None = None) -> Iterator[None]:
        """A fault (None: every one that stands) is healed meanwhile: what was followed of it is told to its end."""
        chosen = list(self._followed) if number is None else [number] if number in self._followed else []
        followed = [self._followed.pop(one) for one in chosen]
        for one in followed:
            one.heal_begins()
        try:
            yield
        finally:
            for one in followed:
                one.conclude()

    def _quiet_since(self) -> int | None:
        """Since when nothing more begins or ends, neither of the schedule nor of what its faults set going."""
        each = [self._quiet_ns, *(one.quiet_ns for one in list(self._followed.values()))]
        known = [at for at in each if at is not None]
        return max(known) if len(known) == len(each) else None

    @property
    def _over(self) -> bool:
        return self.stop.is_set() or self._ended.is_set()

    def _at_ns(self, number: int) -> float:
        return self._first_ns + self._schedule.faults[number].at_s * NS

    def _inject(self, number: int) -> Effect:
        one = self._schedule.faults[number]
        fault = InjectedFault(self._world, one.fault)
        self._come = number + 1
        effect = fault.inject()
        if fault.followed is not None:
            self._followed[number] = Following(fault.followed, effect.subject, self._tell)
        if one.for_s is not None:
            self._due.append((effect.effective_ns + one.for_s * NS, number, fault, effect))
            self._due.sort(key=lambda due: due[:2])
        return effect

    def _heal_due(self, until_ns: float) -> None:
        """Wait until an instant, healing what becomes due; returns early once it is over, and where nothing is awaited."""
        while not self._over:
            next_ns = min(until_ns, self._due[0][0] if self._due else math.inf)
            if next_ns == math.inf or not self._wait_until(next_ns):
                return
            if not self._due or self._due[0][0] > until_ns:
                return
            _, number, fault, effect = self._due.pop(0)
            if number == self._main:
                self._tell("fault.ending", effect.subject, effect.fault)
            with self.concluding(number):
                fault.heal()
            self._tell("fault.over" if number == self._main else "degraded.healed", effect.subject, effect.fault)

    def _wait_until(self, at_ns: float) -> bool:
        """Whether that instant came before it was over."""
        while not self._over and (left_s := (at_ns - time.monotonic_ns()) / NS) > 0:
            self.stop.wait(min(left_s, ENDED_WITHIN_S))
        return not self._over


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


def _refuse_entangled(faults: tuple[Scheduled, ...], name: Callable[[str], str] = lambda region: region) -> None:
    """Refuse faults that harm the same, of which one is healed while the other stands: that would heal the other too.

    `name` gives a region's name where a role may stand for it.
    """
    for number, one in enumerate(faults):
        for other in faults[number + 1 :]:
            same = {(name(r) if r else r, what) for r, what in one.fault.harms} & {
                (name(r) if r else r, what) for r, what in other.fault.harms
            }
            ends, other_ends = _end_of(one), _end_of(other)
            if same and other.at_s < ends and ends != other_ends:
                _, what = sorted(same)[0]
                raise UnusableInput(
                    f"{one.fault.name} and {other.fault.name} both harm {what}, and one would be healed while the other "
                    "stands: let them end together (without for_s), or one begin after the other ended"
                )


def _end_of(one: Scheduled) -> float:
    return math.inf if one.for_s is None else one.at_s + one.for_s
