"""Do both regions run the same code?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen, both
from infra_fixtures.preflight.functions import configuration
from infra_fixtures.targets.parts import FunctionsPart

SAME = {"CodeSha256": "code", "Runtime": "runtime", "Handler": "handler", "MemorySize": "memory", "Timeout": "timeout"}


class FunctionCode(Check):
    """A deployment that went to one region alone shows at the failover, and not before."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart,)
    mend: ClassVar[str] = "deploy the same to both regions"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/whitepapers/latest/disaster-recovery-workloads-on-aws/"
        "disaster-recovery-options-in-the-cloud.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Compare what is to be the same in a scaled-down mirror."""
        here, there = (configuration(seen, region) for region in both(seen))
        for key, word in SAME.items():
            if here.get(key) != there.get(key):
                yield f"the function's {word} is {here.get(key)} in {seen.primary} and {there.get(key)} in {seen.standby}"
