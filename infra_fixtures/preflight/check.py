"""What every check is: it tells what is wrong; where it cannot see, that is said, and never taken for well."""

from __future__ import annotations

import abc
import functools
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

P = TypeVar("P")
GONE = ("NotFound", "NoSuch", "404")
"""What is in the error codes of all of AWS's services where something is not there."""


class Verdict(Enum):
    """What a check finds."""

    OK = "OK"
    REFUSE = "REFUSE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `says` is what is wrong, or why nobody can tell; `mend` what to do, `page` where AWS says why."""

    check: str
    verdict: Verdict
    says: str = ""
    mend: str = ""
    page: str = ""

    def __str__(self) -> str:
        told = f"{self.verdict.value:<7} {self.check}"
        return (f"{told}: {self.says}" if self.says else told) + (f"; {self.mend} ({self.page})" if self.mend else "")


class Seen(Protocol):
    """What a check needs of a world."""

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""

    @property
    def standby(self) -> str:
        """The region that takes over."""

    def part(self, kind: type[P]) -> P | None:
        """A part of it, or None."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client."""


class CannotSee(Exception):
    """A check cannot tell; the message says why."""


class Check(abc.ABC):
    """One question to a system that stands: what is wrong with it that would make a failover fail, or a drill prove nothing?

    `parts` are what it must have to be asked, `mend` says what to do about what is wrong, `page` is AWS's page on it.
    """

    parts: ClassVar[tuple[type, ...]] = ()
    mend: ClassVar[str]
    page: ClassVar[str]

    @property
    def name(self) -> str:
        """Its module's name, in words."""
        return type(self).__module__.rpartition(".")[2].replace("_", " ")

    @abc.abstractmethod
    def troubles(self, seen: Seen) -> Iterator[str]:
        """A sentence for each thing that is wrong. Raises what AWS refuses, and CannotSee."""

    def look(self, seen: Seen) -> Finding:
        """What it finds. What is wrong stands, also where the rest of it cannot be seen."""
        wrong: list[str] = []
        unseen = ""
        lacking = [kind.__name__ for kind in self.parts if seen.part(kind) is None]
        if lacking:
            return Finding(self.name, Verdict.UNKNOWN, f"the system is not known to have a {lacking[0]}")
        try:
            wrong.extend(self.troubles(seen))
        except CannotSee as e:
            unseen = str(e)
        except ClientError as e:
            unseen = f"AWS answers {e.response['Error']['Code']} to {e.operation_name}"
        except BotoCoreError as e:
            unseen = f"AWS was not reached: {e}"
        except (LookupError, TypeError, AttributeError) as e:
            unseen = f"AWS's answer was not as expected: {type(e).__name__}: {e}"
        if wrong:
            said = "; ".join([*wrong, *([f"the rest is not known: {unseen}"] if unseen else [])])
            return Finding(self.name, Verdict.REFUSE, said, self.mend, self.page)
        if unseen:
            return Finding(self.name, Verdict.UNKNOWN, unseen)
        return Finding(self.name, Verdict.OK)


@functools.cache
def checks() -> tuple[Check, ...]:
    """One of each that there is, in the order of their files' names."""
    package = __package__ or ""
    for module in sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])):
        importlib.import_module(f"{package}.{module}")
    own = [kind for kind in Check.__subclasses__() if kind.__module__.startswith(f"{package}.")]
    return tuple(kind() for kind in sorted(own, key=lambda kind: kind.__module__))


def part(seen: Seen, kind: type[P]) -> P:
    """A part that `parts` names."""
    found = seen.part(kind)
    assert found is not None
    return found


def both(seen: Seen) -> tuple[str, str]:
    """The regions, the primary first."""
    return seen.primary, seen.standby


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that something is not there."""
    return any(word in str(error.response["Error"]["Code"]) for word in GONE)


def pages(client: Any, call: str, listed: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
    """Everything that a paginated call lists."""
    for page in client.get_paginator(call).paginate(**parameters):
        yield from page.get(listed, ())


def listed(words: Iterable[str]) -> str:
    """Words in a sentence."""
    return ", ".join(sorted(words))
