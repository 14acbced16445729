"""Route 53 whole: set up through the AWS API, asked with a resolver, watching real endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import dns.asyncresolver
import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.route53 import Route53
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.processes.events import read_events
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient
from tests.infra_fixtures.data_plane.route53.endpoint import Endpoint


class World:
    """A running Route 53 over a control plane, with a zone of the test's own."""

    def __init__(self, layout: RunLayout, route53: Route53, aws_client: AwsClient) -> None:
        self.layout, self.route53 = layout, route53
        self.api = aws_client("route53")
        self.cloudwatch = aws_client("cloudwatch", "us-west-2")
        self.zone = f"{uuid.uuid4().hex[:8]}.example."
        self.zone_id = self.api.create_hosted_zone(Name=self.zone, CallerReference=self.zone)["HostedZone"]["Id"]
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [layout.dns.host]
        self._resolver.port = layout.dns.port

    async def warm(self) -> bool:
        """Whether the API answers as fast as it will: a new control plane imports its services for some seconds."""
        began = time.monotonic()
        for _ in range(3):
            await asyncio.to_thread(self.api.list_health_checks)
        return time.monotonic() - began < 0.1

    def change(self, action: str, *records: dict[str, Any]) -> None:
        """ChangeResourceRecordSets of names in the zone."""
        changes = [{"Action": action, "ResourceRecordSet": {**r, "Name": f"{r['Name']}.{self.zone}"}} for r in records]
        self.api.change_resource_record_sets(HostedZoneId=self.zone_id, ChangeBatch={"Changes": changes})

    def check(self, **config: Any) -> str:
        """Create a health check."""
        config = {"Type": "HTTP", "RequestInterval": 10, "FailureThreshold": 3, **config}
        made = self.api.create_health_check(CallerReference=uuid.uuid4().hex, HealthCheckConfig=config)
        return str(made["HealthCheck"]["Id"])

    def failover(self, primary: str, secondary: str) -> None:
        """Failover records for `api` with their checks."""
        self.change(
            "UPSERT",
            *(
                {"Name": "api", "Type": "A", "TTL": 60, "SetIdentifier": role, "Failover": role, "HealthCheckId": check,
                 "ResourceRecords": [{"Value": value}]}
                for role, check, value in (("PRIMARY", primary, "192.0.2.1"), ("SECONDARY", secondary, "192.0.2.2"))
            ),
        )  # fmt: skip

    async def ask(self, name: str) -> list[str]:
        """The addresses of a name in the zone, by a real query; none where it has none."""
        with contextlib.suppress(dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
            return sorted(r.address for r in await self._resolver.resolve(f"{name}.{self.zone}", "A"))
        return []

    async def until(self, name: str, *values: str, within_s: float) -> float:
        """Wait until a name answers so; how long that took."""
        began = time.monotonic()

        async def there() -> bool:
            return await self.ask(name) == list(values)

        await await_until(there, what=f"{name} to answer {values}", timeout_s=within_s, every_s=0.01)
        return time.monotonic() - began

    def statuses(self, check: str) -> list[str]:
        """What GetHealthCheckStatus says."""
        found = self.api.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
        return [o["StatusReport"]["Status"] for o in found]


Scenario = Callable[[World], Any]


@pytest.fixture
def run(control_plane: RunLayout, aws_client: AwsClient) -> Callable[[Scenario], None]:
    """Runs a coroutine function with a World."""

    @contextlib.asynccontextmanager
    async def world() -> AsyncIterator[World]:
        async with Route53(control_plane, seed="1") as route53:
            reconciling = asyncio.create_task(run_reconcilers(control_plane, route53))
            try:
                made = World(control_plane, route53, aws_client)
                await await_until(made.warm, what="the control plane to have warmed up", timeout_s=20)
                yield made
            finally:
                reconciling.cancel()
                await asyncio.gather(reconciling, return_exceptions=True)

    def run_it(scenario: Scenario) -> None:
        async def whole() -> None:
            async with world() as made:
                await scenario(made)

        asyncio.run(whole())

    return run_it


def test_a_change_of_records_is_answered_within_250_ms(run: Callable[[Scenario], None]) -> None:
    """The median time from ChangeResourceRecordSets' return to the new answer."""

    async def scenario(world: World) -> None:
        took_s = []
        for n in range(7):
            record = {"Name": "a", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": f"192.0.2.{n}"}]}
            await asyncio.to_thread(world.change, "UPSERT", record)
            took_s.append(await world.until("a", f"192.0.2.{n}", within_s=3))
        await asyncio.to_thread(world.change, "DELETE", record)
        await world.until("a", within_s=3)
        assert statistics.median(took_s) < 0.25

    run(scenario)


def test_a_dying_endpoint_fails_over_and_back(run: Callable[[Scenario], None]) -> None:
    """Interval 10 s, threshold 3, pace 10: unhealthy and answered otherwise within 2 to 3.6 s of the first bad answer."""

    async def scenario(world: World) -> None:
        async with Endpoint(world.layout.primary.edge.host) as endpoint:
            primary = await asyncio.to_thread(
                world.check, IPAddress=endpoint.host, Port=endpoint.port, ResourcePath="/h"
            )
            secondary = await asyncio.to_thread(world.check, Type="CALCULATED", HealthThreshold=0, ChildHealthChecks=[])
            await asyncio.to_thread(world.failover, primary, secondary)
            await world.until("api", "192.0.2.1", within_s=3)
            await await_until(
                lambda: _well(world, primary, 3), what="three checkers to report success", timeout_s=3, every_s=0.05
            )
            endpoint.status = 503
            assert 1.9 < await world.until("api", "192.0.2.2", within_s=6) < 3.7
            assert not world.route53.healthy(primary)
            statuses = await asyncio.to_thread(world.statuses, primary)
            assert len(statuses) == 3
            assert all(s.startswith("Failure: HTTP Status Code 503") for s in statuses)
            endpoint.status = 200
            # One checker of three that sees it well again is more than 18 %.
            assert 1.9 < await world.until("api", "192.0.2.1", within_s=6) < 3.2
            assert {path for path, _ in endpoint.asked} == {"/h"}
        events = read_events(Path(world.layout.work_dir) / "route53.events.jsonl")
        assert [e.event for e in events if e.subject == primary] == ["health_check.unhealthy", "health_check.healthy"]
        answers = [e.detail for e in events if e.event == "dns.answer" and e.subject == f"api.{world.zone}".rstrip(".")]
        assert answers == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]

    run(scenario)


def test_checkers_go_where_the_health_check_says_and_rest_when_disabled(run: Callable[[Scenario], None]) -> None:
    """UpdateHealthCheck moves the checkers to another port by a name of the zone; Disabled ends their requests."""

    async def scenario(world: World) -> None:
        host = world.layout.primary.edge.host
        async with Endpoint(host) as first, Endpoint(host) as second:
            record = {"Name": "east", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": host}]}
            await asyncio.to_thread(world.change, "CREATE", record)
            name = f"east.{world.zone}"
            check = await asyncio.to_thread(world.check, FullyQualifiedDomainName=name, Port=first.port)
            await await_until(lambda: _well(world, check, 3), what="three checkers to succeed", timeout_s=3)
            assert first.asked[0] == ("/", f"{name}:{first.port}")
            await asyncio.to_thread(world.api.update_health_check, HealthCheckId=check, Port=second.port)

            async def moved() -> bool:
                return len(second.asked) >= 3

            await await_until(moved, what="the checkers to move", timeout_s=2)
            await asyncio.to_thread(world.api.update_health_check, HealthCheckId=check, Disabled=True)
            second.status = 503
            await asyncio.sleep(0.25)
            asked = len(first.asked), len(second.asked)
            await asyncio.sleep(1.2)
            assert (len(first.asked), len(second.asked)) == asked
            assert world.route53.healthy(check)

    run(scenario)


def test_inverting_a_health_check_fails_over_at_once(run: Callable[[Scenario], None]) -> None:
    """UpdateHealthCheck with Inverted is a fault without any endpoint: answered within 250 ms, and taken back so too."""

    async def scenario(world: World) -> None:
        checks = [await asyncio.to_thread(world.check, IPAddress="127.0.0.1", Port=9, Disabled=True) for _ in range(2)]
        await asyncio.to_thread(world.failover, *checks)
        await world.until("api", "192.0.2.1", within_s=3)
        await asyncio.to_thread(world.api.update_health_check, HealthCheckId=checks[0], Inverted=True)
        assert await world.until("api", "192.0.2.2", within_s=2) < 0.25
        await asyncio.to_thread(world.api.update_health_check, HealthCheckId=checks[0], Inverted=False)
        assert await world.until("api", "192.0.2.1", within_s=2) < 0.25

    run(scenario)


def test_a_health_check_follows_an_alarm(run: Callable[[Scenario], None]) -> None:
    """SetAlarmState moves a CLOUDWATCH_METRIC check, and the answer with it, within 250 ms."""

    async def scenario(world: World) -> None:
        alarm = f"alarm-{uuid.uuid4().hex[:6]}"
        await asyncio.to_thread(
            world.cloudwatch.put_metric_alarm,
            AlarmName=alarm, Namespace="N", MetricName="M", Period=60, EvaluationPeriods=1, Threshold=1,
            Statistic="Sum", ComparisonOperator="LessThanThreshold",
        )  # fmt: skip
        watching = {"Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {"Region": "us-west-2", "Name": alarm}}
        made = await asyncio.to_thread(world.api.create_health_check, CallerReference=alarm, HealthCheckConfig=watching)
        other = await asyncio.to_thread(world.check, IPAddress="127.0.0.1", Port=9, Disabled=True)
        await asyncio.to_thread(world.failover, made["HealthCheck"]["Id"], other)
        await world.until("api", "192.0.2.1", within_s=3)
        for state, answer in (("ALARM", "192.0.2.2"), ("OK", "192.0.2.1")):
            await asyncio.to_thread(
                world.cloudwatch.set_alarm_state, AlarmName=alarm, StateValue=state, StateReason="test"
            )
            assert await world.until("api", answer, within_s=2) < 0.25

    run(scenario)


async def _well(world: World, check: str, number: int) -> bool:
    statuses = await asyncio.to_thread(world.statuses, check)
    return sum(s.startswith("Success") for s in statuses) == number
