"""What every fault is: a frozen value that prints, hashes and stands in TOML, and that is prepared when it is injected."""

from __future__ import annotations

import abc
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import msgspec

from drill.parts import Effect, Tell
from drill.unusable import UnusableInput
from infra_fixtures.fis.written import FisAction, NotInFis, Place
from infra_fixtures.powers import REPLICATION, Instant
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.safety.undo import Learn, Undo
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.world import World

PRIMARY, STANDBY = "primary", "standby"
HARNESS = "harness"
"""Who heals, in the journal, when the run that injected a fault does."""


class Followed(Protocol):
    """What goes on by itself once a fault was injected, such as an experiment that AWS carries out."""

    def look(self, tell: Tell) -> None:
        """Tell what has changed since the last look; what cannot be seen now may be at the next."""

    def conclude(self, tell: Tell) -> None:
        """It was healed: tell what came of it, and `fault.incomplete` of each part that did not take place."""

    @property
    def quiet_ns(self) -> int | None:
        """The time.monotonic_ns() since which nothing more of it is to begin; None while something is."""


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault made ready for one world: what it hits, how it is undone, and the act.

    `act` may return a narrower instant than the call itself took, as a power does that stamps both sides of a signal.
    `followed` is looked at for as long as the fault stands.
    It is rehearsed by calling `act`: what changes something and is no AWS API call asks the world's guard first, as powers do.
    """

    subject: str
    undo: Sequence[Undo]
    act: Callable[[Learn], Instant | None]
    followed: Followed | None = None


class Harmed(NamedTuple):
    """One thing that a fault changes: of which region (empty: of none), and what."""

    region: str
    what: str


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class _AbstractStruct(msgspec.StructMeta, abc.ABCMeta):
    """Of structs with abstract methods."""


class Fault(
    msgspec.Struct,
    metaclass=_AbstractStruct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="fault",
    tag=_snake_case,
):
    """A fault as data: its class is its name (`RegionLost` is "region_lost"), its fields say what is hit, and how.

    Fields named `region` take a region's name, or primary or standby, its role in normal operation. `powers` are those that
    it uses beside the AWS API, `parts` what a system must have for it (`infra_fixtures.targets.parts`).
    """

    powers: ClassVar[tuple[type, ...]] = ()
    parts: ClassVar[tuple[type, ...]] = ()
    not_in_fis: ClassVar[str] = "nothing there does it"
    """Why AWS FIS cannot do the same, of a fault that does not override `in_fis`."""

    @property
    def name(self) -> str:
        """As it stands in TOML, marks and journal."""
        return str(self.__struct_config__.tag)

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """What its healing gives back: another fault that harms the same cannot be healed while this one stands."""
        return ()

    @property
    def healing_variables(self) -> tuple[str, ...]:
        """The names of environment variables that whoever undoes it must have: the watchdog is given no others."""
        return ()

    def in_fis(self, place: Place) -> FisAction:
        """The action of AWS FIS that does the same there; raises NotInFis where there is none."""
        raise NotInFis(self.name, self.not_in_fis)

    def check(self, world: World) -> None:
        """Raise NotSupported where the world lacks something else that it needs, UnusableInput where it cannot be injected as
        things are; asked before the drill, nothing is changed."""
        return

    @abc.abstractmethod
    def prepare(self, world: World) -> Injection:
        """Read what must be known of the world as it is now; nothing is changed yet."""


class NotSupported(Exception):
    """The target lacks what a fault needs: a power of its own, or a part of the system."""

    def __init__(self, fault: str, target: str, lacking: str) -> None:
        super().__init__(f"{fault} needs {lacking}, which the target {target} does not have")


class InjectedFault:
    """A fault that is journalled, and from then on stands until it is healed, however far its injection came."""

    def __init__(self, world: World, fault: Fault) -> None:
        require(world, fault)
        self._world = world
        self._fault = fault
        self._injection = fault.prepare(world)
        self._entry = world.journal.begin(fault.name, self._injection.undo)

    @property
    def followed(self) -> Followed | None:
        """What goes on by itself once it is injected."""
        return self._injection.followed

    def inject(self) -> Effect:
        """Do it; the effect has its time stamps."""
        journal = self._world.journal
        began = time.monotonic_ns()
        instant = self._injection.act(lambda *undo: journal.learned(self._entry, undo))
        instant = instant or Instant(began, time.monotonic_ns())
        return Effect(self._fault.name, self._injection.subject, instant.began_ns, instant.ended_ns)

    def heal(self) -> None:
        """Undo it; HealingFailed names what did not work."""
        open_now = self._world.journal.open_entries()
        undo_all(self._world, self._world.journal, HARNESS, [e for e in open_now if e.entry == self._entry])


@contextlib.contextmanager
def injected(world: World, fault: Fault) -> Iterator[Effect]:
    """The fault stands for as long as this lasts, and is undone whatever happens meanwhile."""
    standing = InjectedFault(world, fault)
    try:
        yield standing.inject()
    finally:
        standing.heal()


def require(world: World | Outlook, fault: Fault) -> None:
    """Raise NotSupported where the world lacks what the fault needs, UnusableInput where it has no such region."""
    if isinstance(world, Outlook):
        lacking = [power for power in fault.powers if not world.has_power(power)]
        lacking += [part for part in fault.parts if not world.has_part(part)]
    else:
        lacking = [power for power in fault.powers if not isinstance(world, power)]
        lacking += [part for part in fault.parts if world.part(part) is None]
    for kind in lacking:
        raise NotSupported(fault.name, world.target, kind.__name__)
    named = msgspec.structs.asdict(fault).get("region", PRIMARY)
    if named != REPLICATION.scope:
        region_of(world, named)
    if not isinstance(world, Outlook):
        fault.check(world)


def region_of(world: World | Outlook, region: str) -> str:
    """A region's name by its role in normal operation, or by its name itself; raises UnusableInput for any other."""
    known = {PRIMARY: world.primary, STANDBY: world.standby, world.primary: world.primary, world.standby: world.standby}
    if region not in known:
        raise UnusableInput(f"{region} is no region of this system: give one of {', '.join(known)}")
    return known[region]
