"""Points in time as people and logs write them, as exact as their last digit."""

from __future__ import annotations

import datetime as dt
import functools
import re
from dataclasses import dataclass

from drill.records import NS
from drill.unusable import UnusableInput

ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)")
EPOCH = re.compile(r"(\d{10})(?:\.(\d{1,9}))?|(\d{13}|\d{16}|\d{19})")


@dataclass(frozen=True, slots=True)
class Instant:
    """Somewhere in [`ns`, `ns` + `exact_ns`), nanoseconds since the epoch: 10:00:05 is a whole second, 10:00:05.000 a ms."""

    ns: int
    exact_ns: int

    @classmethod
    def read(cls, text: str) -> Instant | None:
        """From ISO 8601 with a zone, or seconds, milli-, micro- or nanoseconds since the epoch; None where it is neither."""
        if found := ISO.fullmatch(text.strip()):
            day, clock, fraction, zone = found.groups()
            seconds = _seconds(day, clock, zone)
            return None if seconds is None else cls._at(seconds, fraction or "")
        if found := EPOCH.fullmatch(text.strip()):
            short, fraction, whole = found.groups()
            return cls._at(int(short), fraction or "") if short else cls._at(int(whole[:10]), whole[10:])
        return None

    @classmethod
    def of(cls, text: str, what: str) -> Instant:
        """The same; raises UnusableInput that names `what`."""
        found = cls.read(text)
        if found is None:
            raise UnusableInput(
                f"{what} is {text!r}, which is no point in time: give UTC as 2026-11-27T10:00:00.000Z, or seconds or "
                "milliseconds since 1970"
            )
        return found

    @classmethod
    def _at(cls, seconds: int, fraction: str) -> Instant:
        return cls(seconds * NS + int(fraction.ljust(9, "0")), NS // 10 ** len(fraction))

    @property
    def latest_ns(self) -> int:
        """The latest that it can have been."""
        return self.ns + self.exact_ns


@functools.lru_cache(maxsize=1024)
def _seconds(day: str, clock: str, zone: str) -> int | None:
    """Since 1970; many requests are of one second."""
    try:
        return round(dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}").timestamp())
    except ValueError:
        return None


def epoch_ms(text: str) -> int | None:
    """Nanoseconds of milliseconds since 1970, 13 digits long; None where it is something else."""
    return int(text) * 1_000_000 if len(text) == 13 and text.isascii() and text.isdecimal() else None
