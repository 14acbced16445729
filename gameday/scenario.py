"""A scenario as a value: which faults when, under which load, and what must come out. Python and TOML write the same one."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from drill.baseline import SHOWN
from drill.demands import Demand, What, moved_to, stayed_at
from drill.evidence import Judgement
from drill.measure import figure_names
from drill.objective import Objectives, Verdict, nearest
from drill.plain_file import read_bytes
from drill.run import MARGIN, Plan
from drill.unusable import UnusableInput
from infra_fixtures.faults.described import Described
from infra_fixtures.faults.fault import Fault, region_of
from infra_fixtures.faults.schedule import Schedule, Scheduled
from infra_fixtures.safety import stop_conditions
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.parts import BreakPart, DatabasePart
from infra_fixtures.targets.world import World
from traffic.load import Load

MOST_BYTES = 2**20
LONGEST_S = 3600.0
HEALING_S = 180.0
"""What healing may take, with the way back to the primary, until the system is steady again."""

EVERYONE: Mapping[str, float] = {"follower": 0.7, "fresh": 0.1, "sticky": 0.2}
"""The default mix of clients: sticky ones keep a connection for as long as its endpoint lives."""

MOBILE: dict[str, float] = {"follower": 0.85, "fresh": 0.15}
"""Clients that follow DNS. Where the old endpoint stays alive, sticky clients never leave it: no failover can move them,
so a scenario that keeps the endpoint alive is driven by these, and the report says that sticky clients were left out."""


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a figure's value must lie; None: no limit on that side."""

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        """ValueError for a range in which no figure can lie, or any can."""
        known = [limit for limit in (self.least, self.most) if limit is not None]
        if not known or any(math.isnan(limit) for limit in known) or known != sorted(known):
            raise ValueError(f"least {self.least} and most {self.most} are no range: give one, or both in their order")

    def holds(self, value: float | None) -> bool:
        """Whether the value is known and within."""
        return (
            value is not None
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """All of a scenario but its faults; regions by name, or as primary and standby.

    `moved_to`: the standby must have taken over. `stayed_at`: nothing must have moved. `impact`: clients must feel the
    fault, or the drill proves nothing. `expect` other than MET: the drill checks the harness itself, and each of its
    doubts has `expect_because` in it. `cohorts` is the mix of clients (empty: EVERYONE). `figures` are measurements that
    must lie within a range, beside the objectives. `stop` are `[[stop]]` tables (`infra_fixtures.safety.stop_conditions`):
    each ends the drill at once.
    """

    moved_to: str | None = None
    stayed_at: str | None = None
    impact: bool = True
    expect: Verdict = Verdict.MET
    expect_because: str = ""
    baseline_s: float = 5.0
    feel_s: float = 6.0
    cohorts: dict[str, float] = {}
    figures: dict[str, Range] = {}
    stop: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """UnusableInput for what no drill can be made of."""
        stop_conditions.from_tables(self.stop)
        Load(cohorts=self.cohorts or EVERYONE)
        for name in ("baseline_s", "feel_s"):
            if not 0 < getattr(self, name) <= LONGEST_S:
                raise UnusableInput(f"{name} is {getattr(self, name)}: give seconds above 0, at most {LONGEST_S:g}")
        if self.moved_to is not None and self.stayed_at is not None:
            raise UnusableInput("moved_to and stayed_at contradict each other: give one of them")
        if self.expect is Verdict.MET and self.expect_because:
            raise UnusableInput("expect_because says which doubts must come out, and MET has none: give another expect")
        for name in self.figures:
            if name not in figure_names():
                raise UnusableInput(f"figures.{name} is measured of no drill: {nearest(name, sorted(figure_names()))}")


class Scenario(msgspec.Struct, frozen=True):
    """Faults over time, and all else that makes a drill of them."""

    faults: Schedule
    settings: Settings = Settings()

    @classmethod
    def of(cls, *faults: Fault | Scheduled, **settings: Any) -> Scenario:
        """Of faults (those not scheduled begin at once) and `Settings` by name."""
        return cls(Schedule.of(*faults), Settings(**settings))

    def plan(self, world: World | Outlook) -> Plan:
        """What the drill is told."""
        s = self.settings
        demands: tuple[Demand, ...] = ()
        if (to := self._moved_to(world)) is not None:
            has_database = isinstance(world, Outlook) or world.part(DatabasePart) is not None
            demands += tuple(d for d in moved_to(region_of(world, to)) if d.what != What.PROMOTED or has_database)
        if s.stayed_at is not None:
            demands += stayed_at(region_of(world, s.stayed_at))
        return Plan(
            baseline_s=s.baseline_s,
            require_impact=s.impact,
            demands=demands,
            feel_s=s.feel_s,
            expect=s.expect,
            expect_because=s.expect_because,
        )

    def _moved_to(self, world: World | Outlook) -> str | None:
        """Who must have taken over: what the settings say, else what the system's own description does where it is played."""
        told = None if isinstance(world, Outlook) else world.part(BreakPart)
        if self.settings.moved_to or self.settings.stayed_at or told is None:
            return self.settings.moved_to
        return told.moved_to if any(isinstance(one.fault, Described) for one in self.faults.faults) else None

    def lasts_s(self, objectives: Objectives) -> float:
        """How long its drill takes at most once a system stands, healing included, where nothing hangs."""
        plan = Plan(baseline_s=self.settings.baseline_s)
        last = max(one.at_s + (one.for_s or 0.0) for one in self.faults.faults)
        watched = (objectives.rto_s or 0.0) * MARGIN + objectives.settle_s + objectives.window_s
        steady = plan.warm_up_s + SHOWN * objectives.window_s + plan.baselines * plan.baseline_s
        return steady + last + watched + HEALING_S

    def check_figures(self, judgement: Judgement) -> None:
        """Raise AssertionError where a figure does not lie where it must."""
        for name, wanted in self.settings.figures.items():
            found = judgement.measurements.get(name)
            value = None if found is None else found.value
            if not wanted.holds(value):
                because = "it was not measured" if found is None else found.because
                raise AssertionError(
                    f"{name} is {value}, and must be within [{wanted.least}, {wanted.most}]: {because}"
                )

    def to_toml(self) -> str:
        """As a file; what is as by default is left out."""
        settings = msgspec.to_builtins(self.settings, builtin_types=(dt.datetime,))
        return tomli_w.dumps({**settings, "faults": self.faults.to_tables()})

    @classmethod
    def from_toml(cls, text: str, *, source: str) -> Scenario:
        """Read what `to_toml` writes; UnusableInput in one sentence names what is not understood."""
        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise UnusableInput(f"{source} is not TOML: {e}") from e
        faults = Schedule.from_tables(tables.pop("faults", None), source=source)
        try:
            return cls(faults, msgspec.convert(tables, type=Settings))
        except (msgspec.ValidationError, UnusableInput) as e:
            raise UnusableInput(f"{source} is not understood: {e}") from e

    @classmethod
    def read(cls, path: Path) -> Scenario:
        """Read a TOML file; UnusableInput."""
        try:
            content = read_bytes(path, MOST_BYTES)
            text = "" if content is None else content.decode()
        except UnicodeDecodeError as e:
            raise UnusableInput(f"the scenario {path} cannot be read ({e}): give a TOML file") from e
        if content is None:
            raise UnusableInput(f"the scenario {path} cannot be read (it is not there): give a TOML file")
        return cls.from_toml(text, source=str(path))
