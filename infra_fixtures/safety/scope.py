"""What a run may touch: accounts, regions, a tag that every touched resource carries, the hours, how much at most, and a
person's consent."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Between:
    """From one moment to another; both know their time zone."""

    begins: dt.datetime
    ends: dt.datetime

    def __post_init__(self) -> None:
        if self.begins.tzinfo is None or self.ends.tzinfo is None:
            raise ValueError(f"the window {self} has no time zone: write 2026-12-01T02:00:00Z")

    def closes(self, at: dt.datetime) -> dt.datetime | None:
        """When it closes, if it is open at that time."""
        return self.ends if self.begins <= at < self.ends else None

    def __str__(self) -> str:
        return f"{self.begins.astimezone(dt.UTC):%Y-%m-%d %H:%M} to {self.ends.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours of some days of every week; one that ends at or before it begins ends on the day after.

    `zone` is a name of the IANA time zone database: the hours are those of a clock on a wall there, in summer and winter.
    """

    days: tuple[str, ...]
    begins: dt.time
    ends: dt.time
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if strange := [day for day in self.days if day not in DAYS]:
            raise ValueError(f"{', '.join(strange)} is no day of the week: write {', '.join(DAYS)}")
        try:
            zoneinfo.ZoneInfo(self.zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as e:
            raise ValueError(f"{self.zone!r} is no time zone: write UTC, or such as Europe/Vienna") from e

    def closes(self, at: dt.datetime) -> dt.datetime | None:
        """When it closes, if it is open at that time."""
        zone = zoneinfo.ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for date in (today, today - dt.timedelta(days=1)):
            ends_on = date + dt.timedelta(days=self.ends <= self.begins)
            begins = dt.datetime.combine(date, self.begins, zone).astimezone(dt.UTC)
            ends = dt.datetime.combine(ends_on, self.ends, zone).astimezone(dt.UTC)
            if DAYS[date.weekday()] in self.days and begins <= at < ends:
                return ends
        return None

    def __str__(self) -> str:
        return f"{', '.join(self.days)} {self.begins:%H:%M} to {self.ends:%H:%M} {self.zone}"


Window = Between | Weekly


@dataclass(frozen=True, slots=True)
class Tag:
    """A key and a value that a resource carries."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """How much faults may break at most: AWS services (boto3's names) and how many different resources of them."""

    services: frozenset[str]
    resources: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run may change. Whatever is not named is not allowed.

    regions: names of regions, and GLOBAL for services that have none. tag: what every touched resource carries; None where
    everything in those accounts may be touched. windows: open when any is; none at all is always. confirmed: a person
    has seen the plan and agreed. blast_radius: None where there is no limit. read_only: nothing at all may be changed.
    """

    accounts: frozenset[str]
    regions: frozenset[str]
    tag: Tag | None = None
    windows: tuple[Window, ...] = ()
    confirmed: bool = False
    blast_radius: BlastRadius | None = None
    read_only: bool = False

    def closes(self, at: dt.datetime) -> dt.datetime | None:
        """When the last window that is open at that time closes; None where none is, or where there are none."""
        return max(filter(None, (window.closes(at) for window in self.windows)), default=None)

    def is_open(self, at: dt.datetime) -> bool:
        """Whether something may be changed at that time."""
        return not self.windows or self.closes(at) is not None


def listed(words: Iterable[str]) -> str:
    """Words for a sentence, in order."""
    return ", ".join(sorted(words)) or "none"
