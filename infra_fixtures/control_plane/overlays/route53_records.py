"""ChangeResourceRecordSets as Route 53 takes it: a batch is applied whole or not at all, and no set contradicts another.

moto takes two PRIMARY records of one name, health checks that do not exist and half of a batch; it deletes every
record that shares a SetIdentifier, whatever its name; the SOA of a new zone is not readable.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from moto.route53.exceptions import (
    DnsNameInvalidForZone,
    InvalidActionValue,
    NoSuchHealthCheck,
    ResourceRecordAlreadyExists,
    Route53ClientError,
)
from moto.route53.models import RecordSet, Route53Backend
from moto.route53.utils import validate_domain_name

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

Identity = tuple[str, str, str]


def apply(layout: RunLayout) -> None:
    """Mend moto's record sets."""
    replaces(Route53Backend, "change_resource_record_sets")(_change)
    replaces(RecordSet, "resource_records")(property(_resource_records))


def _resource_records(self: RecordSet) -> list[dict[str, Any]] | None:
    """The values of a record set; moto keeps the SOA it makes for a new zone in another shape than all others."""
    records: list[Any] = self.records or []
    return [r if isinstance(r, dict) else {"Value": r} for r in records] or None


def _change(self: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    zone = self.get_hosted_zone(zoneid)
    staged = {_identity(r): r for r in zone.rrsets}
    touched: set[tuple[str, str]] = set()
    for change in change_list:
        action = change["Action"]
        if action not in {"CREATE", "UPSERT", "DELETE"}:
            raise InvalidActionValue(action)
        record = _record(change["ResourceRecordSet"], zone.name)
        identity = _identity(record)
        existing = staged.get(identity)
        if action == "DELETE":
            _must_match(record, existing)
            del staged[identity]
            continue
        if action == "CREATE" and existing is not None:
            raise ResourceRecordAlreadyExists(name=record.name, _type=str(record.type))
        if record.health_check_id and record.health_check_id not in self.health_checks:
            raise NoSuchHealthCheck(record.health_check_id)
        staged[identity] = record
        touched.add((record.name, str(record.type)))
    _must_agree(staged.values(), touched)
    zone.rrsets = list(staged.values())


def _record(given: dict[str, Any], zone_name: str) -> RecordSet:
    """A record set as moto keeps it: its name absolute and lower case, its values bare."""
    name = given["Name"]
    validate_domain_name(name, code="InvalidChangeBatch")
    absolute = name.lower().rstrip(".") + "."
    if absolute != zone_name.lower() and not absolute.endswith(f".{zone_name.lower()}"):
        raise DnsNameInvalidForZone(name=name, zone_name=zone_name)
    kept = {**given, "Name": absolute}
    if "ResourceRecords" in kept:
        kept["ResourceRecords"] = [r["Value"] for r in kept["ResourceRecords"]]
    record = RecordSet(kept)  # type: ignore[abstract]
    if bool(record.alias_target) == bool(record.records and record.ttl is not None):
        raise _invalid(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found {'more than one' if record.alias_target else 'none'} in Change with "
            f"[Name={absolute}, Type={record.type}, SetIdentifier={record.set_identifier or 'null'}]"
        )
    return record


def _identity(record: RecordSet) -> Identity:
    return (record.name.rstrip(".") + ".", str(record.type), record.set_identifier or "")


def _values(record: RecordSet) -> tuple[object, ...]:
    alias = record.alias_target or {}
    ttl = None if record.ttl is None else int(record.ttl)
    return ttl, sorted(map(str, record.records or [])), sorted((k, str(v)) for k, v in dict(alias).items())


def _must_match(record: RecordSet, existing: RecordSet | None) -> None:
    """A DELETE names every value of what it deletes."""
    said = f"[name='{record.name}', type='{record.type}', set identifier='{record.set_identifier or ''}']"
    if existing is None:
        raise _invalid(f"Tried to delete resource record set {said} but it was not found")
    if _values(record) != _values(existing):
        raise _invalid(
            f"Tried to delete resource record set {said} but the values provided do not match the current values"
        )


def _must_agree(records: Iterable[RecordSet], touched: set[tuple[str, str]]) -> None:
    """The sets of one name and type: one simple set alone, or sets of one policy; one PRIMARY and one SECONDARY."""
    groups: dict[tuple[str, str], list[RecordSet]] = {}
    for record in records:
        if (record.name, str(record.type)) in touched:
            groups.setdefault((record.name, str(record.type)), []).append(record)
    for (name, kind), sets in groups.items():
        _one_policy(name, kind, sets)
        for role in ("PRIMARY", "SECONDARY"):
            holders = [r.set_identifier for r in sets if r.failover == role]
            if len(holders) > 1:
                raise _invalid(
                    f"RRSet with DNS name {name}, type {kind}, SetIdentifier {holders[-1]} cannot be created as "
                    f"another RRSet exists with the same name and type and failover role {role}: {holders[0]}"
                )


def _one_policy(name: str, kind: str, sets: Sequence[RecordSet]) -> None:
    for record in sets:
        if _policy(record) != "simple" and not record.set_identifier:
            raise _invalid(f"RRSet with DNS name {name}, type {kind} is not simple, so it needs a SetIdentifier")
    policies = {_policy(r) for r in sets}
    if len(policies) > 1:
        raise _invalid(
            f"RRSet with DNS name {name}, type {kind} cannot be created: a set with another routing policy exists "
            f"with the same name and type ({', '.join(sorted(policies))})"
        )


def _policy(record: RecordSet) -> str:
    for policy in ("failover", "weight", "region", "geo_location", "multi_value_answer"):
        if getattr(record, policy) is not None:
            return policy
    return "simple"


def _invalid(message: str) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", message)
