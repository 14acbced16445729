"""The certificate of the API's name in a region, validated by DNS: requested, proven by a record in the zone, awaited.

ACM asks for one record a domain name and account, so the certificates of both regions share it
(https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.provision import dns
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.topology import Topology

TOLD_WITHIN_S = 60.0
"""The record to be made is in DescribeCertificate some seconds after the request."""
ISSUED_WITHIN_S = 1800.0
"""AWS says several minutes, and gives up after 72 hours; a zone that nobody is led to never proves anything."""
RECORD_TTL_S = 300
RELEASED_WITHIN_S = 300.0
"""A certificate stays in use for a while after the domain name that used it is gone."""
PENDING, ISSUED = "PENDING_VALIDATION", "ISSUED"


def certificate(
    acm: Any, route53: Any, topology: Topology, names: Names, region: str, zone_id: str, look_every_s: float
) -> str:
    """The region's certificate for the API's name, issued; its ARN. Raises UnusableInput where ACM refuses it."""
    arn = find(acm, topology, names) or str(
        acm.request_certificate(
            DomainName=topology.api_name,
            ValidationMethod="DNS",
            IdempotencyToken=secrets.token_hex(16),
            Tags=names.tag_list(f"certificate-{region}"),
        )["CertificateArn"]
    )
    if _described(acm, arn)["Status"] != ISSUED:
        record = wait_until(
            lambda: _record(acm, arn), what=f"ACM to say how {topology.api_name} is validated", timeout_s=TOLD_WITHIN_S,
            every_s=look_every_s,
        )  # fmt: skip
        assert record is not None
        _prove(route53, zone_id, record)
        wait_until(
            lambda: _issued(acm, arn, topology),
            what=f"the certificate of {topology.api_name} in {region} to be issued (does the zone {topology.zone} answer "
            "to everybody?)",
            timeout_s=ISSUED_WITHIN_S,
            every_s=look_every_s,
        )
    return arn


def find(acm: Any, topology: Topology, names: Names) -> str | None:
    """The run's certificate in this region, by its tag."""
    for page in acm.get_paginator("list_certificates").paginate(CertificateStatuses=[PENDING, ISSUED]):
        for listed in page["CertificateSummaryList"]:
            if listed["DomainName"] == topology.api_name:
                tags = acm.list_tags_for_certificate(CertificateArn=listed["CertificateArn"])["Tags"]
                if {t["Key"]: t.get("Value") for t in tags}.get(RUN_TAG) == names.run_id:
                    return str(listed["CertificateArn"])
    return None


def tear_down(acm: Any, topology: Topology, names: Names) -> None:
    """Delete the region's certificate; its record goes with the others of its name."""
    arn = find(acm, topology, names)
    if arn is not None:
        retry_while(
            "ResourceInUseException",
            lambda: ignore_errors("ResourceNotFoundException", acm.delete_certificate, CertificateArn=arn),
            what=f"{arn} to be out of use",
            timeout_s=RELEASED_WITHIN_S,
        )


def _described(acm: Any, arn: str) -> Mapping[str, Any]:
    described: Mapping[str, Any] = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    return described


def _record(acm: Any, arn: str) -> Mapping[str, str] | None:
    options = _described(acm, arn).get("DomainValidationOptions") or [{}]
    record: Mapping[str, str] | None = options[0].get("ResourceRecord")
    return record


def _prove(route53: Any, zone_id: str, record: Mapping[str, str]) -> None:
    name = record["Name"].rstrip(".") + "."
    if not dns.records_under(route53, zone_id, name):
        wanted = {
            "Name": name,
            "Type": record["Type"],
            "TTL": RECORD_TTL_S,
            "ResourceRecords": [{"Value": record["Value"]}],
        }
        dns.change(route53, zone_id, "UPSERT", [wanted])


def _issued(acm: Any, arn: str, topology: Topology) -> bool:
    found = _described(acm, arn)
    if found["Status"] not in (PENDING, ISSUED):
        why = found.get("FailureReason", found["Status"])
        raise UnusableInput(f"ACM does not issue the certificate of {topology.api_name}: {why}")
    return bool(found["Status"] == ISSUED)
