"""The file in which people say what a game day on a real account may do: `gameday.toml` (docs/gameday-file.md).

Whatever it does not name is not allowed, and a mistake in it is one sentence that says where, what, and how to mend it.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
import tomli_w

from drill.objective import nearest
from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.safety.scope import Between, BlastRadius, Scope, Tag, Weekly, Window
from infra_fixtures.safety.stop_conditions import Alarm
from infra_fixtures.safety.toml_mistake import mistake

MOST_BYTES = 2**20
ACCOUNT = re.compile(r"\d{12}")
PARTITIONS = ("aws", "aws-cn", "aws-us-gov")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: no key but these."""


class TagTable(Table, frozen=True):
    """What every resource carries that may be touched."""

    key: str
    value: str


class Limits(Table, frozen=True):
    """How much may break at most: faults by name, AWS services by boto3's names, and the number of different resources."""

    faults: tuple[str, ...]
    services: tuple[str, ...]
    resources: int


class Once(Table, frozen=True):
    """A window that opens once; both moments have a time zone."""

    opens: dt.datetime
    closes: dt.datetime


class EveryWeek(Table, frozen=True):
    """A window on some days of every week, by the wall clock of a time zone."""

    days: tuple[str, ...]
    opens: dt.time
    closes: dt.time
    zone: str


class AlarmTable(Table, frozen=True):
    """A CloudWatch alarm that ends the drill."""

    name: str
    region: str


class GameDayFile(Table, frozen=True):
    """What is allowed; `source` is where it stands. Raises UnusableInput where it is made of what no game day can be."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]
    tag: TagTable
    blast_radius: Limits
    approvers: tuple[str, ...]
    ticket: str
    requests_per_second: float
    """The most that the load may ask of the application."""
    window: tuple[Once, ...] = ()
    weekly_window: tuple[EveryWeek, ...] = ()
    alarm: tuple[AlarmTable, ...] = ()
    no_alarm_because: str = ""
    read_only: bool = False
    """Nothing is changed, not even to put something back: the plan, and what can be seen."""
    source: str = msgspec.field(default="gameday.toml", name=" source")

    @classmethod
    def read(cls, path: Path) -> GameDayFile:
        """Read a file; raises UnusableInput."""
        return cls.parse(text_of(path), source=str(path))

    @classmethod
    def parse(cls, text: str, *, source: str) -> GameDayFile:
        """Read what stands in a file; raises UnusableInput, which names `source`."""
        try:
            found = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise UnusableInput(f"{source} is not TOML: {e}; docs/gameday-file.md has an example") from e
        try:
            read = msgspec.structs.replace(msgspec.convert(found, type=cls), source=source)
        except msgspec.ValidationError as e:
            raise UnusableInput(_in_one_line(f"{source}: {mistake(str(e), _keys)}")) from None
        for sentence in read._mistakes():
            raise UnusableInput(_in_one_line(f"{source}: {sentence}"))
        return read

    @property
    def windows(self) -> tuple[Window, ...]:
        """When something may be changed."""
        return (
            *(Between(w.opens, w.closes) for w in self.window),
            *(Weekly(w.days, w.opens, w.closes, w.zone) for w in self.weekly_window),
        )

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What ends a drill at once."""
        return tuple(Alarm(name=a.name, region=a.region) for a in self.alarm)

    def scope(self, confirmed: bool) -> Scope:
        """As the guard takes it; `confirmed`: a person has seen the plan and agreed."""
        return Scope(
            accounts=frozenset(self.accounts),
            regions=frozenset(self.regions),
            tag=Tag(self.tag.key, self.tag.value),
            windows=self.windows,
            confirmed=confirmed,
            blast_radius=BlastRadius(frozenset(self.blast_radius.services), self.blast_radius.resources),
            read_only=self.read_only,
        )

    def elsewhere(self, account: str, now: dt.datetime) -> str:
        """The text of a file that allows the same in another account, at this hour: an emulated one, for a rehearsal."""
        told = {k: v for k, v in msgspec.to_builtins(self, builtin_types=(dt.datetime,)).items() if k != " source"}
        hour = dt.timedelta(hours=1)
        return tomli_w.dumps(
            {
                **told,
                "accounts": [account],
                "window": [{"opens": now - hour, "closes": now + hour}],
                "weekly_window": [],
                "alarm": [],
                "no_alarm_because": "a rehearsal",
                "read_only": False,
            }
        )

    def _mistakes(self) -> Iterable[str]:
        """What the types do not say, a sentence each."""
        for name in ("accounts", "regions", "approvers"):
            yield from _list_mistakes(name, getattr(self, name))
        for account in self.accounts:
            if not ACCOUNT.fullmatch(account):
                yield f"the account {account!r} is no account id: write its 12 digits in quotes"
        for region in (*self.regions, *(a.region for a in self.alarm)):
            if region != GLOBAL and region not in known_regions():
                yield f"there is no region {region}; {_meant(region, known_regions())}"
        for alarm in self.alarm:
            if not alarm.name.strip():
                yield "an [[alarm]] has no name: write the name of a CloudWatch alarm"
        if not self.tag.key.strip() or self.tag.key.lower().startswith("aws:"):
            yield f"the tag key {self.tag.key!r} can be given to nothing: write one of your own, such as dr-drill"
        if not self.ticket.strip():
            yield "ticket is empty: write the number of the change ticket"
        yield from self._limit_mistakes()
        yield from self._window_mistakes()
        if not self.alarm and not self.no_alarm_because.strip():
            yield 'there is no [[alarm]]: name a CloudWatch alarm that ends the drill, or say no_alarm_because = "..."'
        if self.alarm and self.no_alarm_because:
            yield "no_alarm_because contradicts the [[alarm]] that is there: take one of them out"

    def _limit_mistakes(self) -> Iterable[str]:
        yield from _list_mistakes("blast_radius.faults", self.blast_radius.faults)
        yield from _list_mistakes("blast_radius.services", self.blast_radius.services)
        for service in self.blast_radius.services:
            if service not in known_services():
                yield f"blast_radius.services: boto3 has no service {service}; {_meant(service, known_services())}"
        if self.blast_radius.resources < 1:
            yield f"blast_radius.resources is {self.blast_radius.resources}: write how many may be touched, 1 or more"
        if not (math.isfinite(self.requests_per_second) and self.requests_per_second > 0):
            yield f"requests_per_second is {self.requests_per_second:g}: write the most that the load may be, above 0"

    def _window_mistakes(self) -> Iterable[str]:
        if not self.window and not self.weekly_window:
            yield "there is no [[window]] and no [[weekly_window]]: say when something may be changed"
        for once in self.window:
            if once.opens.tzinfo is None or once.closes.tzinfo is None:
                yield f"the [[window]] of {once.opens} has no time zone: write such as opens = 2026-12-05T06:00:00Z"
            elif once.closes <= once.opens:
                yield f"the [[window]] of {once.opens} closes before it opens: write closes after opens"
        for weekly in self.weekly_window:
            yield from _list_mistakes("weekly_window.days", weekly.days)
            if weekly.opens.tzinfo is not None or weekly.closes.tzinfo is not None:
                yield "a [[weekly_window]] says its time zone by zone alone: write opens = 06:00:00"
            try:
                Weekly(weekly.days, weekly.opens, weekly.closes, weekly.zone)
            except ValueError as e:
                yield f"a [[weekly_window]] is not understood: {e}"


def text_of(path: Path, remedy: str = "write what the game day may do (docs/gameday-file.md has an example)") -> str:
    """What stands in the file; raises UnusableInput, with the remedy where it is not there."""
    content = read_bytes(path, MOST_BYTES)
    if content is None:
        raise UnusableInput(f"{path} is not there: {remedy}")
    try:
        return content.decode()
    except UnicodeDecodeError as e:
        raise UnusableInput(f"{path} is not UTF-8 ({e}): save it as UTF-8") from e


@functools.cache
def known_regions() -> tuple[str, ...]:
    """Every region that botocore knows."""
    session = botocore.session.get_session()
    return tuple(sorted({r for p in PARTITIONS for r in session.get_available_regions("ec2", p)}))


@functools.cache
def known_services() -> frozenset[str]:
    """Every service that botocore knows."""
    return frozenset(botocore.session.get_session().get_available_services())


def _in_one_line(sentence: str) -> str:
    """Words of the file may have line breaks in them."""
    return " ".join(sentence.split())


def _list_mistakes(name: str, given: tuple[str, ...]) -> Iterable[str]:
    if not given or not all(each.strip() for each in given):
        yield f"{name} is empty, or has an empty word in it: name at least one"
    if len(set(given)) < len(given):
        yield f"{name} names {next(g for g in given if given.count(g) > 1)} twice: name each once"


def _meant(name: str, known: Iterable[str]) -> str:
    sentence = nearest(name, sorted(known))
    return sentence if sentence.startswith("did you mean") else "write its name as boto3 does"


TABLES: Mapping[str, Any] = {
    "": GameDayFile,
    "tag": TagTable,
    "blast_radius": Limits,
    "window": Once,
    "weekly_window": EveryWeek,
    "alarm": AlarmTable,
}


def _keys(table: str) -> tuple[str, ...]:
    kind = TABLES.get(table, GameDayFile)
    return tuple(field.encode_name for field in msgspec.structs.fields(kind))
