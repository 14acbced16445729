"""Answers from records: what Route 53 says to a question, from memory alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from infra_fixtures.data_plane.route53.aws_names import ALIAS_TTL_S, AwsNames
from infra_fixtures.data_plane.route53.records import Group, HostedZone, Record, absolute
from infra_fixtures.data_plane.route53.routing import choose, eligible
from infra_fixtures.pace import Timer, paced

NOERROR, NXDOMAIN, REFUSED = 0, 3, 5
LONGEST_CHAIN = 8
"""Aliases and CNAMEs are followed so far: a loop ends here."""
DEFAULT_SOA = "ns-1.awsdns-1.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
DEFAULT_SOA_TTL_S = 900
"""What Route 53 gives a new zone: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html"""


@dataclass(frozen=True, slots=True)
class RRset:
    """Records of one answer; `ttl_s` as it goes into the packet (paced); values in the zone file's notation."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say: a DNS response code, the answer, and the zone's SOA where there is none."""

    rcode: int
    answers: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()


class Tables:
    """All hosted zones of a run. `health_check` says whether a health check is healthy, by its id."""

    def __init__(
        self,
        *,
        names: AwsNames,
        health_check: Callable[[str], bool],
        pace: float,
        regions: Sequence[str],
        chance: random.Random,
    ) -> None:
        self._names = names
        self._health_check = health_check
        self._pace = pace
        self._regions = tuple(regions)
        self._chance = chance
        self._zones: dict[str, HostedZone] = {}

    def replace(self, zones: Iterable[HostedZone]) -> None:
        """Answer from these zones from now on."""
        self._zones = {z.name: z for z in zones}

    def answer(self, name: str, kind: str) -> Answer:
        """Answer a question; `name` is absolute and lower case, `kind` a type such as "A", or "ANY"."""
        answers: list[RRset] = []
        for _ in range(LONGEST_CHAIN):
            found, rcode, zone = self._lookup(name, kind)
            answers += found
            if not found:
                if zone is None and not answers and rcode == REFUSED:
                    return Answer(REFUSED)
                if zone is None:  # the chain leaves what this server knows
                    return Answer(NOERROR, tuple(answers), self._aws_soa(name) if not answers else ())
                return Answer(rcode, tuple(answers), (self._soa(zone),))
            if kind in {"CNAME", "ANY"} or found[0].type != "CNAME":
                break
            name = absolute(found[0].values[0])
        return Answer(NOERROR, tuple(answers))

    def address(self, name: str) -> str | None:
        """An IPv4 address of a name as a resolver would find it; None where it has none."""
        answers = self.answer(absolute(name), "A").answers
        return next((r.values[0] for r in reversed(answers) if r.type == "A" and r.values), None)

    def routed(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Every group with a routing policy: name, type, and what may be answered now (values or alias targets)."""
        for zone in self._zones.values():
            for name, kinds in zone.groups.items():
                for kind, group in kinds.items():
                    if not group[0].simple:
                        yield name, kind, tuple(v for r in self._eligible(group) for v in self._values(zone, r))

    def _lookup(self, name: str, kind: str) -> tuple[list[RRset], int, HostedZone | None]:
        zone = self._zone_of(name)
        if zone is None:
            address = self._names.address(name)
            if address is None:
                return [], REFUSED, None
            return (
                ([RRset(name, "A", self._ttl(ALIAS_TTL_S), (address,))] if kind in {"A", "ANY"} else []),
                NOERROR,
                None,
            )
        kinds = zone.find(name)
        if kinds is None:
            return [], NXDOMAIN, zone
        if kind == "ANY":
            return [s for k in kinds for s in self._resolve(zone, name, k, kinds[k])], NOERROR, zone
        if kind in kinds:
            return self._resolve(zone, name, kind, kinds[kind]), NOERROR, zone
        if "CNAME" in kinds:
            return self._resolve(zone, name, "CNAME", kinds["CNAME"]), NOERROR, zone
        return [], NOERROR, zone

    def _resolve(self, zone: HostedZone, name: str, kind: str, group: Group, depth: int = 0) -> list[RRset]:
        """Choose from a group; empty where an alias leads nowhere."""
        chosen = choose(self._eligible(group), self._chance)
        record = chosen[0]
        if record.alias is None:
            values = [v for r in chosen for v in r.values]
            if len(values) > 1:  # Route 53 gives several values in any order
                at = self._chance.randrange(len(values))
                values = values[at:] + values[:at]
            return [RRset(name, kind, self._ttl(record.ttl_s), tuple(values))]
        target = record.alias.target
        if target_kinds := zone.holds(target) and zone.find(target):
            if depth < LONGEST_CHAIN and kind in target_kinds:
                found = self._resolve(zone, target, kind, target_kinds[kind], depth + 1)
                return [replace(s, name=name) for s in found]
            return []
        address = self._names.address(target)
        return [RRset(name, "A", self._ttl(ALIAS_TTL_S), (address,))] if address and kind == "A" else []

    def _eligible(self, group: Group, depth: int = 0) -> Group:
        return eligible(group, lambda record: self._healthy(record, depth), self._regions)

    def _healthy(self, record: Record, depth: int) -> bool:
        """A set without a health check is healthy; an alias that evaluates its target inherits the target's health.

        A target in the zone is healthy while any of its sets is. API Gateway endpoints have no health of their own.
        """
        if record.health_check is not None and not self._health_check(record.health_check):
            return False
        if record.alias is None or not record.alias.evaluate or depth >= LONGEST_CHAIN:
            return True
        zone = self._zone_of(record.name)
        kinds = zone.find(record.alias.target) if zone is not None and zone.holds(record.alias.target) else None
        group = (kinds or {}).get(record.type, ())
        return not group or any(self._healthy(r, depth + 1) for r in group)

    def _values(self, zone: HostedZone, record: Record, depth: int = 0) -> tuple[str, ...]:
        if record.alias is None:
            return record.values
        address = self._names.address(record.alias.target)
        if address is not None:
            return (address,)
        kinds = zone.find(record.alias.target) if zone.holds(record.alias.target) else None
        group = (kinds or {}).get(record.type, ())
        if not group or depth >= LONGEST_CHAIN:
            return (record.alias.target,)
        return tuple(v for r in self._eligible(group) for v in self._values(zone, r, depth + 1))

    def _zone_of(self, name: str) -> HostedZone | None:
        """The zone with the longest name that a name ends in."""
        while True:
            zone = self._zones.get(name)
            if zone is not None:
                return zone
            if "." not in name[:-1]:
                return None
            name = name.partition(".")[2]

    def _soa(self, zone: HostedZone) -> RRset:
        """The SOA of a negative answer: its TTL is what the absence may be cached for (RFC 2308)."""
        group = zone.groups.get(zone.name, {}).get("SOA")
        values, ttl = (group[0].values, group[0].ttl_s) if group else ((DEFAULT_SOA,), DEFAULT_SOA_TTL_S)
        minimum = values[0].split()[-1]
        if not minimum.isdigit():  # the API lets an owner write what is no SOA
            values, minimum = (DEFAULT_SOA,), "86400"
        return RRset(zone.name, "SOA", self._ttl(min(ttl, int(minimum))), values)

    def _aws_soa(self, name: str) -> tuple[RRset, ...]:
        origin = name.partition(".")[2]
        return (RRset(origin, "SOA", self._ttl(ALIAS_TTL_S), (DEFAULT_SOA,)),)

    def _ttl(self, seconds: int) -> int:
        return round(paced(self._pace, Timer.DNS_TTL, seconds))
