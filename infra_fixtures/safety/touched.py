"""Which resources a call of the AWS API touches, by its parameters, and which tags those carry.

What no row of the lookups resolves is not known to be tagged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from infra_fixtures.safety.tag_lookups import LOOKUPS, Lookup, Place, Tags, by_arn, of_ec2, pairs_of, routing_control

_ABSENT = re.compile(r"NotFound|NoSuch|^404$")
_EC2_ID = re.compile(r"[a-z]+-[0-9a-f]{8}(?:[0-9a-f]{9})?")
_OWN_ARN = frozenset({"resource", "resourcearn", "resourcearns", "resourcearnlist", "resourcename", "arn"})
"""Parameters of any service that name the resource itself, where its ARN is given."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A resource that a call names, as it names it."""

    value: str
    lookup: Lookup

    def tags(self, place: Place) -> Tags | None:
        """Its tags; None where there is no such resource. Raises ClientError where they cannot be read."""
        try:
            return self.lookup(place, self.value)
        except ClientError as e:
            if _ABSENT.search(str(e.response["Error"]["Code"])):
                return None
            raise


def touched(service: str, parameters: Mapping[str, Any]) -> Iterator[Touched]:
    """Every resource that a call's parameters name, and that can be looked up."""
    table = LOOKUPS.get(service, {})
    if service == "route53-recovery-cluster":
        for entry in parameters.get("UpdateRoutingControlStateEntries") or ():
            yield Touched(str(entry.get("RoutingControlArn")), routing_control)
    for name, given in parameters.items():
        for value in _words(given):
            if name in table:
                yield Touched(value, table[name])
            elif service == "ec2" and _EC2_ID.fullmatch(value):
                yield Touched(value, of_ec2)
            elif value.startswith("arn:") and name.lower() in _OWN_ARN:
                yield Touched(value, by_arn)


def tags_carried(parameters: Mapping[str, Any]) -> Tags:
    """The tags that a call gives to what it makes, in whichever of AWS's spellings."""
    carried: dict[str, str] = {}
    for name, given in parameters.items():
        if "tag" in name.lower():
            carried.update(pairs_of(given))
        elif isinstance(given, Mapping):
            carried.update(tags_carried(given))
    return carried


def _words(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list | tuple):
        yield from (each for each in given if isinstance(each, str))
