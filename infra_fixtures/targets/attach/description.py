"""What the owner of a system says of it, as a TOML file: where it answers, how it is broken and healed, how much it may be asked.

No secret is in it: those are in environment variables or files that it names.
"""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from infra_fixtures.safety.way import Way

MOST_BYTES = 2**20
BREAKS = ("command", "operator")
"""The faults that [break] names by one of its own keys; any other by `fault`."""
Key = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=100_000)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; a name that is not one of its own is a mistake."""


class Database(_Table, frozen=True):
    """A site's PostgreSQL, past the application: its password is in an environment variable, or in a file."""

    host: str
    dbname: str
    user: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 5432
    password_env: str | None = None
    password_file: str | None = None

    def __post_init__(self) -> None:
        """ValueError where the password is nowhere, or in two places."""
        if (self.password_env is None) == (self.password_file is None):
            raise ValueError("give exactly one of password_env and password_file: where its password is")


class Site(_Table, frozen=True):
    """One of the two places: its name, where it answers past DNS, and the addresses that DNS leads to it by (default: those of
    its URL)."""

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    url: str
    addresses: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    database: Database | None = None


class Service(_Table, frozen=True):
    """The way in for users: `dns` is the name server that resolves its name (host:port; none: the machine's own), which is
    asked every `dns_every_s` seconds where the name leads."""

    url: str
    dns: str | None = None
    dns_every_s: Annotated[float, msgspec.Meta(ge=0.01, le=60)] = 0.25

    @property
    def name_server(self) -> tuple[str, int] | None:
        """Host and port."""
        if self.dns is None:
            return None
        host, colon, port = self.dns.rpartition(":")
        return (host.strip("[]"), int(port)) if colon else (port, 53)


class Failover(Way, frozen=True, kw_only=True):
    """How the standby is made to serve, where it does not do so by itself: `after_s` seconds after the fault took effect."""

    after_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0


class Description(_Table, frozen=True, rename={"break_": "break"}):
    """The whole file. `workload` is the application's contract (docs/workload.md), beside this file.

    `rate` is how many writes a second are sent where the command line says nothing; no more than `rate_cap` requests a second
    are ever sent. `read_only`: nothing is written, and the records of `read_keys` are read. `moves`: the standby must have
    taken over for a drill to prove anything. `failback` as a word: "automatic", the primary serves again by itself once it is
    healed; "left", whoever serves after a drill goes on serving.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    workload: str
    service: Service
    primary: Site
    standby: Site
    rate: Rate = 10.0
    rate_cap: Rate = 50.0
    read_only: bool = False
    read_keys: tuple[Key, ...] = ()
    moves: bool = True
    break_: dict[str, Any] | None = None
    heal: Way | None = None
    failover: Failover | None = None
    failback: Way | Literal["automatic", "left"] = "automatic"

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read the file; raises UnusableInput with the first mistake and how to mend it."""
        content = read_bytes(path, MOST_BYTES)
        if content is None:
            raise UnusableInput(f"{path} is not there: give the TOML file that describes the system")
        try:
            return cls.parse(content.decode(), source=str(path))
        except UnicodeDecodeError as e:
            raise UnusableInput(f"the topology {path} is no TOML file: {e}") from e

    @classmethod
    def parse(cls, text: str, *, source: str) -> Description:
        """Read what stands in a file; raises UnusableInput, which names `source`."""
        try:
            found = msgspec.convert(tomllib.loads(text), cls)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise UnusableInput(f"the topology {source} is no TOML file: {e}") from e
        except msgspec.ValidationError as e:
            raise UnusableInput(f"{source}: {_placed(str(e))}") from e
        for said in found.mistakes():
            raise UnusableInput(f"{source}: {said}")
        return found

    @property
    def digest(self) -> str:
        """What stands there, as a checksum."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def environment(self) -> tuple[str, ...]:
        """The names of all variables that its commands are given."""
        ways = [w for w in (self.heal, self.failover, self.failback) if isinstance(w, Way)]
        named = {name for way in ways for name in way.environment}
        return tuple(sorted(named | set((self.break_ or {}).get("environment", ()))))

    @property
    def sites(self) -> tuple[Site, Site]:
        """The primary and the standby."""
        return self.primary, self.standby

    def mistakes(self) -> list[str]:
        """What the types do not say."""
        urls = [("service.url", self.service.url), ("primary.url", self.primary.url), ("standby.url", self.standby.url)]
        found = [
            f"{where} {url!r} is no URL of the form http://name:port: give one without a query"
            for where, url in urls
            if not _is_url(url)
        ]
        if self.primary.name == self.standby.name:
            found.append("primary.name and standby.name are the same: each site needs a name of its own")
        if self.rate > self.rate_cap:
            found.append(f"rate {self.rate:g} is above rate_cap {self.rate_cap:g}: lower it")
        if self.read_only != bool(self.read_keys):
            found.append(
                "read_only and read_keys belong together: give the keys of some records that are there, such as [1, 2, 3]"
            )
        if self.service.dns is not None and not _is_server(self.service.dns):
            found.append(f"service.dns {self.service.dns!r} is not HOST:PORT: give such as 127.0.0.1:5353")
        if same := set(self.primary.addresses) & set(self.standby.addresses):
            found.append(f"{min(same)} is in primary.addresses and in standby.addresses: it can lead to only one")
        found += self._of_break()
        return found

    def _of_break(self) -> list[str]:
        if self.break_ is None:
            lost = [n for n, said in (("heal", self.heal), ("failover", self.failover)) if said is not None]
            return [f"there is a table [{lost[0]}] and no [break]: say how the primary is broken"] if lost else []
        ways = [key for key in (*BREAKS, "fault") if key in self.break_]
        if len(ways) != 1:
            return [f"break: give exactly one of {', '.join(BREAKS)} and fault"]
        if ways == ["command"] and self.heal is None:
            return ["break has a command and there is no [heal]: say how it is undone, or nothing will be broken"]
        if "heal" in self.break_:
            return ["break.heal: write it as a table of its own, [heal]"]
        return []

    def faults(self) -> tuple[dict[str, Any], ...]:
        """[break], [heal], [failover] and [failback] as `[[faults]]` tables; none where [break] is not there."""
        if self.break_ is None:
            return ()
        break_ = dict(self.break_)
        if "fault" not in break_:
            kind = next(key for key in BREAKS if key in break_)
            break_["fault"] = kind
            if kind == "operator":
                break_["what"] = break_.pop("operator")
        if self.heal is not None:
            break_["heal"] = _table(self.heal)
        back = _table(self.failback) if isinstance(self.failback, Way) else None
        if self.failover is None:
            return ({**break_, **({"give_back": back} if back else {}), "main": True},)
        return {**break_, "main": True}, _failover(self.failover, back)


def _failover(failover: Failover, back: dict[str, Any] | None) -> dict[str, Any]:
    told = {k: v for k, v in _table(failover).items() if k != "after_s"}
    kind = "operator" if failover.needs_person else "command"
    if failover.needs_person:
        told["what"] = told.pop("operator")
        told.pop("exits", None)
        told.pop("environment", None)
    else:
        told.pop("effect", None)
    return {"fault": kind, **told, "roles": True, "at_s": failover.after_s, **({"heal": back} if back else {})}


def _table(way: Way) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(way)
    return told


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and not url.query and (url.port or 1) > 0
    except ValueError:
        return False


def _is_server(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(text) and (not colon or (bool(host) and port.isdecimal() and 0 < int(port) <= 65_535))


def _placed(sentence: str) -> str:
    """msgspec's words, with the table first: primary.url: Expected `str`, got `int`."""
    what, _, where = sentence.partition(" - at `$")
    return f"{where.strip('.`')}: {what}" if where else what
