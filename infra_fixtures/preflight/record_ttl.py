"""Do clients ask for the name again soon enough?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from infra_fixtures.preflight.check import CannotSee, Check, Seen, pages, part
from infra_fixtures.targets.parts import DnsPart

MOST_S = 60
TYPES = frozenset({"A", "AAAA", "CNAME"})


class RecordTtl(Check):
    """Clients keep an answer for its TTL: longer than a minute, and the failover waits for it."""

    parts: ClassVar[tuple[type, ...]] = (DnsPart,)
    mend: ClassVar[str] = f"give the records of the name a TTL of {MOST_S} s or less"
    page: ClassVar[str] = "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/best-practices-dns.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """The records of the name; an alias has no TTL of its own, and its target's is AWS's, 60 s at most."""
        name = f"{part(seen, DnsPart).name.rstrip('.')}."
        route53 = seen.client("route53")
        zones = [z for z in pages(route53, "list_hosted_zones", "HostedZones") if f".{name}".endswith(f".{z['Name']}")]
        records = [r for zone in zones for r in _of(route53, str(zone["Id"]), name)]
        if not records:
            raise CannotSee(f"no record of {name} is in a hosted zone of this account")
        for record in records:
            if int(record.get("TTL", 0)) > MOST_S:
                yield f"the {record['Type']} record of {name} has a TTL of {record['TTL']} s"


def _of(route53: Any, zone: str, name: str) -> Iterator[Any]:
    for record in pages(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone):
        if record["Name"] == name and record["Type"] in TYPES:
            yield record
