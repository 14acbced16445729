"""Health checks and failover records are held as Route 53 holds them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient

NAME = "api.dr-drill.example."


@pytest.fixture(scope="module")
def route53(aws_client: AwsClient) -> Any:
    """A Route 53 client at the global endpoint."""
    return aws_client("route53")


@pytest.fixture
def zone(route53: Any) -> str:
    """A fresh hosted zone's id."""
    return str(route53.create_hosted_zone(Name="dr-drill.example.", CallerReference=_reference())["HostedZone"]["Id"])


@pytest.fixture
def check(route53: Any) -> str:
    """A fresh HTTP health check's id."""
    return _check(route53, Type="HTTP", IPAddress="127.0.0.1", Port=80, ResourcePath="/health", RequestInterval=10)


def _reference() -> str:
    return f"{datetime.now(UTC).timestamp()}"


def _check(route53: Any, **config: Any) -> str:
    made = route53.create_health_check(CallerReference=_reference(), HealthCheckConfig=config)
    return str(made["HealthCheck"]["Id"])


def _set(role: str, identifier: str, **more: Any) -> dict[str, Any]:
    return {
        "Name": NAME,
        "Type": "A",
        "SetIdentifier": identifier,
        "Failover": role,
        "TTL": 60,
        "ResourceRecords": [{"Value": "127.0.0.1"}],
        **more,
    }


def _change(route53: Any, zone: str, *changes: tuple[str, dict[str, Any]]) -> None:
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": a, "ResourceRecordSet": r} for a, r in changes]}
    )


def _failover_sets(route53: Any, zone: str) -> set[tuple[str, str]]:
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {(r["SetIdentifier"], r["Failover"]) for r in sets if "Failover" in r}


def test_a_checks_status_is_what_its_checkers_observed(route53: Any, control_plane: RunLayout, check: str) -> None:
    """Nothing at first; then each checker's word, and the last failure even after recovery."""
    assert route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"] == []

    async def observe(status: str) -> None:
        async with Admin(control_plane) as admin:
            seen = {"region": "us-east-1", "ip": "15.177.0.1", "status": status, "checked_at": "2026-11-24T04:00:00Z"}
            await admin.observe_health_check(check, [seen])

    asyncio.run(observe("Failure: connection refused"))
    asyncio.run(observe("Success: HTTP Status Code 200, OK"))
    seen = route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
    assert [(o["Region"], o["IPAddress"], o["StatusReport"]["Status"]) for o in seen] == [
        ("us-east-1", "15.177.0.1", "Success: HTTP Status Code 200, OK")
    ]
    assert seen[0]["StatusReport"]["CheckedTime"] == datetime(2026, 11, 24, 4, tzinfo=UTC)
    last = route53.get_health_check_last_failure_reason(HealthCheckId=check)["HealthCheckObservations"]
    assert [o["StatusReport"]["Status"] for o in last] == ["Failure: connection refused"]


def test_an_update_changes_what_it_names_and_nothing_else(route53: Any, check: str) -> None:
    """Children and checker regions survive, the version counts, an old version is refused."""
    parent = _check(route53, Type="CALCULATED", ChildHealthChecks=[check], HealthThreshold=1)
    updated = route53.update_health_check(HealthCheckId=parent, Inverted=True, HealthCheckVersion=1)["HealthCheck"]
    assert updated["HealthCheckConfig"]["ChildHealthChecks"] == [check]
    assert (updated["HealthCheckConfig"]["Inverted"], updated["HealthCheckVersion"]) == (True, 2)
    with pytest.raises(route53.exceptions.HealthCheckVersionMismatch):
        route53.update_health_check(HealthCheckId=parent, Inverted=False, HealthCheckVersion=1)


def test_a_cloudwatch_check_keeps_its_alarm(route53: Any) -> None:
    """AlarmIdentifier and InsufficientDataHealthStatus come back; without an alarm there is no such check."""
    alarm = {"Region": "us-west-2", "Name": "primary-down"}
    made = _check(
        route53, Type="CLOUDWATCH_METRIC", AlarmIdentifier=alarm, InsufficientDataHealthStatus="LastKnownStatus"
    )
    config = route53.get_health_check(HealthCheckId=made)["HealthCheck"]["HealthCheckConfig"]
    assert (config["AlarmIdentifier"], config["InsufficientDataHealthStatus"]) == (alarm, "LastKnownStatus")
    with pytest.raises(route53.exceptions.InvalidInput):
        _check(route53, Type="CLOUDWATCH_METRIC")


def test_the_same_caller_reference_is_the_same_check(route53: Any) -> None:
    """Repeated, it answers with the check that is there; with other settings it is refused."""
    config = {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 5432}
    reference = _reference()
    ids = {
        route53.create_health_check(CallerReference=reference, HealthCheckConfig=config)["HealthCheck"]["Id"]
        for _ in range(2)
    }
    assert len(ids) == 1
    with pytest.raises(route53.exceptions.HealthCheckAlreadyExists):
        route53.create_health_check(CallerReference=reference, HealthCheckConfig={**config, "Port": 5433})


def test_a_second_primary_is_refused_and_nothing_of_its_batch_stays(route53: Any, zone: str, check: str) -> None:
    """One PRIMARY and one SECONDARY a name; a batch is applied whole or not at all."""
    _change(route53, zone, ("CREATE", _set("PRIMARY", "east", HealthCheckId=check)))
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="PRIMARY"):
        _change(
            route53,
            zone,
            ("CREATE", _set("SECONDARY", "west")),
            ("CREATE", _set("PRIMARY", "north", HealthCheckId=check)),
        )
    assert _failover_sets(route53, zone) == {("east", "PRIMARY")}
    _change(route53, zone, ("UPSERT", _set("SECONDARY", "west")))
    assert _failover_sets(route53, zone) == {("east", "PRIMARY"), ("west", "SECONDARY")}


def test_roles_can_be_exchanged_in_one_batch(route53: Any, zone: str, check: str) -> None:
    """What counts is the state after the batch."""
    _change(
        route53,
        zone,
        ("CREATE", _set("PRIMARY", "east", HealthCheckId=check)),
        ("CREATE", _set("SECONDARY", "west", HealthCheckId=check)),
    )
    _change(
        route53,
        zone,
        ("UPSERT", _set("SECONDARY", "east", HealthCheckId=check)),
        ("UPSERT", _set("PRIMARY", "west", HealthCheckId=check)),
    )
    assert _failover_sets(route53, zone) == {("east", "SECONDARY"), ("west", "PRIMARY")}


def test_records_that_contradict_are_refused(route53: Any, zone: str, check: str) -> None:
    """An unknown health check, a record created twice, a simple record beside failover records, one never made."""
    _change(route53, zone, ("CREATE", _set("PRIMARY", "east", HealthCheckId=check)))
    with pytest.raises(route53.exceptions.NoSuchHealthCheck):
        _change(route53, zone, ("CREATE", _set("SECONDARY", "west", HealthCheckId="11111111-none")))
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="already exists"):
        _change(route53, zone, ("CREATE", _set("PRIMARY", "east", HealthCheckId=check)))
    simple = {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "127.0.0.1"}]}
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="policy"):
        _change(route53, zone, ("CREATE", simple))
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="not found"):
        _change(route53, zone, ("DELETE", _set("SECONDARY", "west")))
    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="do not match"):
        _change(route53, zone, ("DELETE", _set("PRIMARY", "east", TTL=61, HealthCheckId=check)))


def test_deleting_a_set_leaves_other_names_alone(route53: Any, zone: str, check: str) -> None:
    """Two names may use the same SetIdentifier; and the zone can be emptied and deleted."""
    other = f"www.{NAME.partition('.')[2]}"
    both = [_set("PRIMARY", "east", HealthCheckId=check), _set("PRIMARY", "east", HealthCheckId=check, Name=other)]
    _change(route53, zone, *(("CREATE", r) for r in both))
    _change(route53, zone, ("DELETE", both[0]))
    sets = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert [r["Name"] for r in sets if "Failover" in r] == [other]
    _change(route53, zone, ("DELETE", both[1]))
    route53.delete_hosted_zone(Id=zone)
