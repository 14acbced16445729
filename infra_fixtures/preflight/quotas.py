"""May the standby's account run as many functions at once as the primary's does?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import CannotSee, Check, Seen, both, part
from infra_fixtures.targets.parts import FunctionsPart

LAMBDA, CONCURRENT = "lambda", "L-B99A9384"
"""Concurrent executions (https://docs.aws.amazon.com/general/latest/gr/lambda-service.html)."""


class Quotas(Check):
    """Quotas are a region's own: one that was raised in the primary alone is met at the failover."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart,)
    mend: ClassVar[str] = "have the quota raised in the standby as in the primary"
    page: ClassVar[str] = "https://docs.aws.amazon.com/servicequotas/latest/userguide/intro.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Compare concurrent executions, and with what the primary's function has reserved."""
        limits = {}
        for region in both(seen):
            asked = seen.client("service-quotas", region)
            found = asked.get_service_quota(ServiceCode=LAMBDA, QuotaCode=CONCURRENT)["Quota"]
            if found.get("QuotaCode") != CONCURRENT:
                raise CannotSee(f"Service Quotas in {region} told of another quota than was asked for")
            limits[region] = float(found["Value"])
        here, there = limits[seen.primary], limits[seen.standby]
        if there < here:
            yield f"concurrent executions of Lambda are limited to {there:g} in {seen.standby} and {here:g} in {seen.primary}"
        reserved = (
            seen.client("lambda", seen.primary)
            .get_function_concurrency(FunctionName=part(seen, FunctionsPart).orders)
            .get("ReservedConcurrentExecutions", 0)
        )
        if there < reserved + UNRESERVED:
            yield (
                f"{seen.standby} allows {there:g} concurrent executions, which leaves no room for the {reserved} that "
                f"{seen.primary} reserves, beside the {UNRESERVED} that AWS keeps unreserved"
            )


UNRESERVED = 100
"""AWS keeps so many for functions without a reservation
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""
