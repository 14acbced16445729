"""A hosted zone as the API holds it: record sets as values, grouped by name and type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_OCTAL = re.compile(r"\\(\d{3})")


@dataclass(frozen=True, slots=True)
class Alias:
    """What an alias record points at; `evaluate` is EvaluateTargetHealth."""

    target: str
    evaluate: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record set. `ttl_s` is the API's figure (unpaced), 0 for an alias; names are absolute, lower case."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]
    set_identifier: str = ""
    failover: str | None = None
    weight: int | None = None
    region: str | None = None
    geo: bool = False
    multivalue: bool = False
    health_check: str | None = None
    alias: Alias | None = None

    @property
    def simple(self) -> bool:
        """Whether it stands alone under its name and type."""
        return not self.set_identifier


Group = tuple[Record, ...]
"""The record sets of one name and type."""


def absolute(name: str) -> str:
    r"""A name as the tables hold it: lower case, with its final dot; the API's \052 is an asterisk again."""
    plain = _OCTAL.sub(lambda found: chr(int(found[1], 8)), name)
    return plain.lower().rstrip(".") + "."


def read_record(found: Mapping[str, Any]) -> Record:
    """A record set of ListResourceRecordSets."""
    target = found.get("AliasTarget")
    weight = found.get("Weight")
    return Record(
        name=absolute(found["Name"]),
        type=str(found["Type"]),
        ttl_s=int(found.get("TTL") or 0),
        values=tuple(str(r["Value"]) for r in found.get("ResourceRecords") or ()),
        set_identifier=str(found.get("SetIdentifier") or ""),
        failover=found.get("Failover"),
        weight=None if weight is None else int(weight),
        region=found.get("Region"),
        geo="GeoLocation" in found,
        multivalue=bool(found.get("MultiValueAnswer")),
        health_check=found.get("HealthCheckId") or None,
        alias=Alias(absolute(target["DNSName"]), bool(target.get("EvaluateTargetHealth"))) if target else None,
    )


class HostedZone:
    """The records of one public hosted zone."""

    def __init__(self, name: str, records: Iterable[Record]) -> None:
        self.name = absolute(name)
        grouped: dict[str, dict[str, dict[str, Record]]] = {}
        for record in records:
            grouped.setdefault(record.name, {}).setdefault(record.type, {})[record.set_identifier] = record
        self.groups: dict[str, dict[str, Group]] = {
            name: {kind: tuple(sets.values()) for kind, sets in kinds.items()} for name, kinds in grouped.items()
        }
        self._stems = {stem for name in self.groups for stem in self._above(name)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostedZone) and (self.name, self.groups) == (other.name, other.groups)

    __hash__ = None  # type: ignore[assignment]

    def find(self, name: str) -> dict[str, Group] | None:
        """The groups of a name by type, a wildcard's where it has none of its own; None where it does not exist (NXDOMAIN).

        A name that only has names below it exists and has no types (RFC 4592, 8020).
        """
        own = self.groups.get(name)
        if own is not None:
            return own
        if name in self._stems:
            return {}
        below = name
        while below != self.name and "." in below[:-1]:
            below = below.partition(".")[2]
            if below in self.groups or below in self._stems:
                return self.groups.get(f"*.{below}")
        return None

    def holds(self, name: str) -> bool:
        """Whether the zone is responsible for a name."""
        return name == self.name or name.endswith("." + self.name)

    def _above(self, name: str) -> Iterable[str]:
        while name != self.name and "." in name[:-1]:
            name = name.partition(".")[2]
            yield name
