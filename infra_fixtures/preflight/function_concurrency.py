"""May the standby's function run, and as often as it has to?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen, both, part
from infra_fixtures.targets.parts import FunctionsPart

LEAST_SHARE = 0.1
"""Of the primary's; a warm standby is scaled down, and what is below that is more likely a mistake."""


class FunctionConcurrency(Check):
    """Reserved concurrency 0 throttles a function wholly; too little of it throttles what a failover brings."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart,)
    mend: ClassVar[str] = "reserve in the standby what it must carry, or nothing"
    page: ClassVar[str] = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Compare the reserved concurrency."""
        name = part(seen, FunctionsPart).orders
        here, there = (
            seen.client("lambda", region)
            .get_function_concurrency(FunctionName=name)
            .get("ReservedConcurrentExecutions")
            for region in both(seen)
        )
        if there == 0:
            yield f"the reserved concurrency of {name} in {seen.standby} is 0"
        elif here and there is not None and there < here * LEAST_SHARE:
            yield f"the reserved concurrency of {name} is {there} in {seen.standby} and {here} in {seen.primary}"
