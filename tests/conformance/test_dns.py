"""Route 53: failover records and health checks as the name server and the checkers read them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.backends import Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused


@pytest.fixture
def client(aws: Backend) -> Any:
    """A client; Route 53 belongs to no region."""
    return aws.client("route53")


@pytest.fixture
def zone(client: Any, unique: Names) -> str:
    """A fresh zone's id."""
    made = client.create_hosted_zone(Name=f"{unique('drill')}.example.", CallerReference=unique("zone"))
    return str(made["HostedZone"]["Id"])


@pytest.fixture
def check(client: Any, unique: Names) -> str:
    """A fresh health check's id."""
    settings = {"Type": "HTTP", "IPAddress": "192.0.2.1", "Port": 80, "ResourcePath": "/health", "RequestInterval": 10}
    made = client.create_health_check(CallerReference=unique("check"), HealthCheckConfig=settings)
    return str(made["HealthCheck"]["Id"])


def _record(role: str, identifier: str, unique: Names, **more: Any) -> dict[str, Any]:
    return {
        "Name": f"api.{unique('drill')}.example.",
        "Type": "A",
        "SetIdentifier": identifier,
        "Failover": role,
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
        **more,
    }


def _upsert(client: Any, zone: str, *records: dict[str, Any]) -> None:
    changes = [{"Action": "UPSERT", "ResourceRecordSet": r} for r in records]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def test_a_zone_is_born_with_its_apex_records(client: Any, zone: str) -> None:
    """NS and SOA."""
    found = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert {r["Type"] for r in found} == {"NS", "SOA"}


def test_failover_records_are_kept_as_given(client: Any, zone: str, check: str, unique: Names) -> None:
    """Role, TTL and health check of both."""
    primary = _record("PRIMARY", "east", unique, HealthCheckId=check)
    secondary = _record("SECONDARY", "west", unique)
    _upsert(client, zone, primary, secondary)
    found = {
        r.get("SetIdentifier"): r for r in client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    }
    assert (found["east"], found["west"]) == (primary, secondary)


def test_a_second_primary_is_refused(client: Any, zone: str, check: str, unique: Names) -> None:
    """A name has one PRIMARY record."""
    _upsert(client, zone, _record("PRIMARY", "east", unique, HealthCheckId=check))
    with refused("InvalidChangeBatch"):
        _upsert(client, zone, _record("PRIMARY", "west", unique, HealthCheckId=check))


def test_a_record_with_an_unknown_check_is_refused(client: Any, zone: str, unique: Names) -> None:
    """A record that no checker decides on would answer for ever."""
    unknown = "00000000-0000-4000-8000-000000000000"
    with refused("InvalidChangeBatch", "NoSuchHealthCheck"):
        _upsert(client, zone, _record("PRIMARY", "east", unique, HealthCheckId=unknown))


@pytest.mark.parametrize("switch", ["Inverted", "Disabled"])
def test_a_check_can_be_switched_and_switched_back(client: Any, check: str, switch: str) -> None:
    """The faults that make Route 53 fail over, or fail to."""
    for wanted in (True, False):
        client.update_health_check(HealthCheckId=check, **{switch: wanted})
        assert client.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"][switch] is wanted


def test_a_check_s_threshold_can_be_changed(client: Any, check: str) -> None:
    """And its version goes up, by which a change is told from none."""
    before = client.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckVersion"]
    client.update_health_check(HealthCheckId=check, FailureThreshold=1)
    found = client.get_health_check(HealthCheckId=check)["HealthCheck"]
    assert found["HealthCheckConfig"]["FailureThreshold"] == 1
    assert found["HealthCheckVersion"] > before


def test_a_check_on_an_alarm_names_its_alarm(client: Any, unique: Names) -> None:
    """Region and name."""
    alarm = {"Region": "us-west-2", "Name": unique("alarm")}
    settings = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": alarm,
        "InsufficientDataHealthStatus": "LastKnownStatus",
    }
    made = client.create_health_check(CallerReference=unique("alarm"), HealthCheckConfig=settings)["HealthCheck"]
    found = client.get_health_check(HealthCheckId=made["Id"])["HealthCheck"]["HealthCheckConfig"]
    assert found["AlarmIdentifier"] == alarm
