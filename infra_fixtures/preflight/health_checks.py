"""Do Route 53's health checks reach what they look at?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.preflight.check import CannotSee, Check, Seen, both, is_gone, part
from infra_fixtures.targets.parts import HealthChecksPart

HEALTHY_ABOVE = 0.18
"""The share of checkers that must find an endpoint well."""


class HealthChecks(Check):
    """Asked of Route 53's own checkers: a name that leads nowhere, or that does not answer, is unhealthy to all of them."""

    parts: ClassVar[tuple[type, ...]] = (HealthChecksPart,)
    mend: ClassVar[str] = "let the health check look at a name that exists and answers, neither disabled nor inverted"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Each region's own."""
        route53 = seen.client("route53")
        for region in both(seen):
            identity = part(seen, HealthChecksPart).ids[region]
            try:
                config = route53.get_health_check(HealthCheckId=identity)["HealthCheck"]["HealthCheckConfig"]
            except ClientError as e:
                if not is_gone(e):
                    raise
                yield f"the health check {identity} of {region} is not there"
                continue
            if config.get("Disabled"):
                yield f"the health check of {region} is disabled, so it is always healthy"
            elif config.get("Inverted"):
                yield f"the health check of {region} is inverted"
            elif config["Type"] not in ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"):
                yield from _unreached(route53, identity, region, str(config.get("FullyQualifiedDomainName", "")))


def _unreached(route53: object, identity: str, region: str, name: str) -> Iterator[str]:
    told = route53.get_health_check_status(HealthCheckId=identity)["HealthCheckObservations"]  # type: ignore[attr-defined]
    statuses = [str(each["StatusReport"]["Status"]) for each in told]
    if not statuses:
        raise CannotSee(f"no checker of Route 53 has told yet of the health check of {region}")
    well = sum(status.startswith("Success") for status in statuses)
    if well / len(statuses) <= HEALTHY_ABOVE:
        said = next(status for status in statuses if not status.startswith("Success"))
        yield f"{well} of {len(statuses)} checkers reach {name or identity} of {region}: {said}"
