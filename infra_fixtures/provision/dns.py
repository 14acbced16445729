"""The DNS layer: hosted zone, a health check for each region's endpoint, PRIMARY and SECONDARY failover records.

The records are aliases of the custom domain's regional names; an alias has no TTL of its own, clients are given that of
its target, 60 s for API Gateway (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drill.wait import wait_until
from infra_fixtures.provision.api import Api
from infra_fixtures.provision.boto_errors import ignore_errors
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import Topology

IN_SYNC, IN_SYNC_WITHIN_S = "INSYNC", 300.0
APEX = frozenset({"NS", "SOA"})
"""What a zone is born with and dies with."""


def zone(route53: Any, topology: Topology, names: Names) -> str:
    """The run's hosted zone; its id, without the "/hostedzone/" before it."""
    found = _zone_of(route53, topology, names)
    if found is None:
        made = route53.create_hosted_zone(
            Name=topology.zone,
            CallerReference=names.of("zone"),
            HostedZoneConfig={"Comment": f"drill {names.run_id}"},
        )
        found = _bare(made["HostedZone"]["Id"])
    _tag(route53, "hostedzone", found, names.tag_list("zone"))
    return found


def health_check(route53: Any, topology: Topology, names: Names, region: str, api: Api) -> str:
    """The health check of a region's own endpoint, past any failover; its id."""
    found = health_checks(route53, names).get(region)
    if found is not None:
        _tag(route53, "healthcheck", found, names.tag_list(f"health-{region}"))
        return found
    settings: dict[str, Any] = {
        "Type": topology.edge_scheme.upper(),
        "FullyQualifiedDomainName": api.host,
        "Port": topology.edge_port,
        "ResourcePath": f"/{topology.stage}{topology.health_check.path}",
        "RequestInterval": topology.health_check.interval_s,
        "FailureThreshold": topology.health_check.failure_threshold,
    }
    if topology.edge_scheme == "https":
        settings["EnableSNI"] = True
    made = route53.create_health_check(CallerReference=_reference(names, region, api), HealthCheckConfig=settings)
    identity = str(made["HealthCheck"]["Id"])
    _tag(route53, "healthcheck", identity, names.tag_list(f"health-{region}"))
    return identity


def failover_records(
    route53: Any, topology: Topology, zone_id: str, apis: Mapping[str, Api], checks: Mapping[str, str]
) -> str:
    """The two records of the API's name, in one change; the name as Route 53 keeps it."""
    name = f"{topology.api_name}."
    desired = [
        {
            "Name": name,
            "Type": "A",
            "SetIdentifier": region,
            "Failover": role,
            "HealthCheckId": checks[region],
            "AliasTarget": {
                "HostedZoneId": apis[region].domain_zone,
                "DNSName": f"{apis[region].domain_target}.",
                "EvaluateTargetHealth": False,
            },
        }
        for region, role in zip(topology.region_names, ("PRIMARY", "SECONDARY"), strict=True)
    ]
    existing = {r.get("SetIdentifier"): r for r in _records(route53, zone_id) if r["Name"] == name}
    change(route53, zone_id, "UPSERT", [r for r in desired if not _same(r, existing.get(r["SetIdentifier"]))])
    return name


def change(route53: Any, zone_id: str, action: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Change records, where there are any, and wait until every name server of the zone has heard of it; WaitTimeout.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html (INSYNC within 60 s).
    """
    if not records:
        return
    changes = [{"Action": action, "ResourceRecordSet": r} for r in records]
    made = route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})["ChangeInfo"]
    if made["Status"] != IN_SYNC:
        wait_until(
            lambda: route53.get_change(Id=_bare(made["Id"]))["ChangeInfo"]["Status"] == IN_SYNC,
            what=f"the name servers of {zone_id} to know of its change",
            timeout_s=IN_SYNC_WITHIN_S,
            every_s=2.0,
        )


def records_under(route53: Any, zone_id: str, name: str) -> list[dict[str, Any]]:
    """The records of a zone that are called so, or are below that name."""
    return [r for r in _records(route53, zone_id) if r["Name"] == name or r["Name"].endswith(f".{name}")]


def tear_down(route53: Any, topology: Topology, names: Names, zone_id: str = "") -> None:
    """Delete the run's zone with its records, or its records in a zone that was there already; then its health checks."""
    own = _zone_of(route53, topology, names)
    if own is not None:
        change(route53, own, "DELETE", [r for r in _records(route53, own) if r["Type"] not in APEX])
        route53.delete_hosted_zone(Id=own)
    elif zone_id:
        change(route53, zone_id, "DELETE", records_under(route53, zone_id, f"{topology.api_name}."))
    for check in health_checks(route53, names).values():
        ignore_errors("NoSuchHealthCheck", route53.delete_health_check, HealthCheckId=check)


def _zone_of(route53: Any, topology: Topology, names: Names) -> str | None:
    """The zone of that name whose caller reference is the run's: names of zones are not unique."""
    for page in route53.get_paginator("list_hosted_zones").paginate():
        for found in page["HostedZones"]:
            if found["Name"] == topology.zone and found.get("CallerReference") == names.of("zone"):
                return _bare(found["Id"])
    return None


def health_checks(route53: Any, names: Names) -> dict[str, str]:
    """The run's health checks by region: the caller reference tells them apart, and it cannot be changed."""
    found = {}
    for page in route53.get_paginator("list_health_checks").paginate():
        for check in page["HealthChecks"]:
            reference = str(check["CallerReference"])
            if reference.startswith(f"{names.run_id}/"):
                found[reference.split("/")[1]] = str(check["Id"])
    return found


def _tag(route53: Any, kind: str, identity: str, tags: list[dict[str, str]]) -> None:
    """Tag it where that was not done yet: Route 53 takes no tags when it makes something."""
    found = route53.list_tags_for_resource(ResourceType=kind, ResourceId=identity)["ResourceTagSet"]["Tags"]
    if not found:
        route53.change_tags_for_resource(ResourceType=kind, ResourceId=identity, AddTags=tags)


def _reference(names: Names, region: str, api: Api) -> str:
    """At most 64 characters, never used before for another check: a deleted check's reference is not free again."""
    return f"{names.run_id}/{region}/{api.id}"


def _records(route53: Any, zone_id: str) -> list[dict[str, Any]]:
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    return [r for page in pages for r in page["ResourceRecordSets"]]


def _same(desired: Mapping[str, Any], existing: Mapping[str, Any] | None) -> bool:
    return existing is not None and all(existing.get(k) == v for k, v in desired.items())


def _bare(identity: str) -> str:
    return identity.rpartition("/")[2]
