"""What does Route 53 think of the endpoints? GetHealthCheckStatus, looked at whenever something changes there."""

from __future__ import annotations

import threading
from typing import ClassVar

from drill.parts import Recorder
from infra_fixtures.targets.parts import HealthChecksPart, part_of
from infra_fixtures.targets.world import World

LONGEST_POLL_INTERVAL_S = 1.0
HEALTHY_SHARE = 0.18
"""Route 53 calls an endpoint healthy when more than 18 % of its checkers do
(https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html)."""


class HealthCheck:
    """Marks health_check.healthy and health_check.unhealthy; subject is the region, detail the last failure reason."""

    name = "health_check"
    needs: ClassVar[tuple[type, ...]] = (HealthChecksPart,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._route53 = world.client("route53")
        self._checks = part_of(world, HealthChecksPart).ids

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look at both checks until told to stop."""
        before: dict[str, bool] = {}
        while not stop.is_set():
            for region, check in self._checks.items():
                healthy, reason = self._status(check)
                if before.get(region) != healthy:
                    event = "health_check.healthy" if healthy else "health_check.unhealthy"
                    recorder.mark(event, region, reason)
                    before[region] = healthy
            self._world.wait_for_change(frozenset({"route53"}), LONGEST_POLL_INTERVAL_S)

    def _status(self, check: str) -> tuple[bool, str]:
        observations = self._route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
        words = [str(o.get("StatusReport", {}).get("Status", "")) for o in observations]
        good = sum(w.startswith("Success") for w in words)
        healthy = not words or good / len(words) > HEALTHY_SHARE
        reason = next((w for w in words if w.startswith("Success") == healthy), "")
        return healthy, reason
