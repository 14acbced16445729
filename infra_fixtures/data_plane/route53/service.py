"""Route 53 of a run: reads zones and health checks from the API, answers DNS and watches endpoints accordingly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra_fixtures.data_plane.route53.aws_names import AwsNames
from infra_fixtures.data_plane.route53.checkers import Checkers
from infra_fixtures.data_plane.route53.endpoint_probe import EndpointProbe
from infra_fixtures.data_plane.route53.health import HealthStates, read_health_check
from infra_fixtures.data_plane.route53.records import HostedZone, read_record
from infra_fixtures.data_plane.route53.server import DnsServer
from infra_fixtures.data_plane.route53.zone import Tables
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

ALARM_CHANGES = frozenset({"SetAlarmState", "PutMetricAlarm", "DeleteAlarms"})
API_REGION = "us-east-1"
"""Route 53 is a global service: its calls are signed for this region."""


class Route53:
    """A reconciler of `route53`, and of `cloudwatch` for health checks that watch an alarm.

    Use it as an async context manager: on entry it answers on `layout.dns` (REFUSED until it has read a zone). An alarm's
    state is what DescribeAlarms says, where Route 53 itself looks at the alarm's data stream. `seed` sets the phases of
    the checkers and the choice among several answers; without one they follow from the run's id.
    """

    def __init__(self, layout: RunLayout, seed: str | None = None) -> None:
        self._layout = layout
        seed = seed if seed is not None else layout.run_id
        self._states = HealthStates()
        self.tables = Tables(
            names=AwsNames(layout),
            health_check=self._states.healthy,
            pace=layout.pace,
            regions=[r.name for r in layout.regions],
            chance=random.Random(seed),
        )
        self._server = DnsServer(layout.dns, self.tables.answer)
        self._events = EventLog(Path(layout.work_dir) / "route53.events.jsonl")
        self._answered: dict[tuple[str, str], tuple[str, ...]] = {}
        self._admin = Admin(layout)
        probe = EndpointProbe(layout.pace, self.tables.address)
        self._probe = probe
        self._checkers = Checkers(probe, self._admin, self._voted, layout.pace, seed)
        self._parts = contextlib.AsyncExitStack()

    @property
    def services(self) -> frozenset[str]:
        """Reconciles Route 53 and, for alarms, CloudWatch."""
        return frozenset({"route53", "cloudwatch"})

    async def __aenter__(self) -> Route53:
        async with contextlib.AsyncExitStack() as parts:
            parts.callback(self._events.close)
            await parts.enter_async_context(self._server)
            await parts.enter_async_context(self._admin)
            await parts.enter_async_context(self._probe)
            parts.push_async_callback(self._checkers.close)
            reporting = asyncio.create_task(self._checkers.report())
            parts.callback(reporting.cancel)
            self._parts = parts.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    def healthy(self, check_id: str) -> bool:
        """What Route 53 makes of a health check now."""
        return self._states.healthy(check_id)

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read what may have changed, and answer and watch accordingly."""
        own = [c.action for c in changes if c.service == "route53" and c.action != "_HealthCheckObserved"]
        checks = not changes or any("HealthCheck" in action for action in own)
        zones = not changes or any("HealthCheck" not in action for action in own)
        alarms = any(c.service == "cloudwatch" and c.action in ALARM_CHANGES for c in changes)
        # What was not touched is not read: a fault bites as many milliseconds sooner.
        if checks:
            self._states.configure(read_health_check(c) for c in await call(self._read_checks))
            self._checkers.watch(self._states.checks.values())
            for check in self._states.checks.values():
                self._states.votes[check.id] = self._checkers.votes(check.id)
        if zones:
            self.tables.replace(await call(self._read_zones))
        if checks or alarms:
            await self._read_alarms()
        if checks or zones or alarms:
            self._settle()

    def _voted(self, check_id: str, votes: list[bool]) -> None:
        self._states.votes[check_id] = votes
        self._settle()

    def _settle(self) -> None:
        """Let the answers follow the health checks, and note what changed."""
        for check, healthy in self._states.refresh():
            event = "health_check.healthy" if healthy else "health_check.unhealthy"
            about = str(check.endpoint or check.alarm or ",".join(check.children))
            reason = "" if healthy else self._checkers.last_failure(check.id)
            self._events.record(event, check.id, f"{about} {reason}".strip())
        for name, kind, values in self.tables.routed():
            if self._answered.get((name, kind)) != values:
                self._answered[name, kind] = values
                self._events.record("dns.answer", name.rstrip("."), ",".join(values))

    def _read_zones(self) -> list[HostedZone]:
        """All public zones; a private one answers inside its VPC alone."""
        route53 = client(self._layout, "route53", API_REGION)
        zones = []
        for page in route53.get_paginator("list_hosted_zones").paginate():
            for zone in page["HostedZones"]:
                if zone.get("Config", {}).get("PrivateZone"):
                    continue
                pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
                records = [read_record(r) for p in pages for r in p["ResourceRecordSets"]]
                zones.append(HostedZone(zone["Name"], records))
        return zones

    def _read_checks(self) -> list[dict[str, Any]]:
        route53 = client(self._layout, "route53", API_REGION)
        return [c for page in route53.get_paginator("list_health_checks").paginate() for c in page["HealthChecks"]]

    async def _read_alarms(self) -> None:
        """The states of the alarms that health checks watch; one that cannot be read keeps the state it had."""
        desired: dict[str, set[str]] = {}
        for check in self._states.checks.values():
            if check.alarm is not None:
                desired.setdefault(check.alarm[0], set()).add(check.alarm[1])
        for region, names in desired.items():
            cloudwatch = await call(client, self._layout, "cloudwatch", region)
            found = await call(cloudwatch.describe_alarms, AlarmNames=sorted(names))
            states = {a["AlarmName"]: a["StateValue"] for a in found["MetricAlarms"]}
            for name in names:
                self._states.alarms[region, name] = states.get(name, "INSUFFICIENT_DATA")
