"""Has the standby the alarms that the primary has?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from infra_fixtures.preflight.check import CannotSee, Check, Seen, listed, pages, part
from infra_fixtures.targets.parts import DatabasePart, FunctionsPart


class Alarms(Check):
    """A secondary inherits no alarms: after a failover nobody would be told of the next failure."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart, DatabasePart)
    mend: ClassVar[str] = "make the same alarms in the standby, on its own resources"
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-monitoring.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Each alarm of the primary on the system's functions or cluster wants one on the same metric in the standby."""
        here = {_metric(alarm): str(alarm["AlarmName"]) for alarm in _on_the_system(seen, seen.primary)}
        if not here:
            raise CannotSee(
                f"no alarm in {seen.primary} is on this system's function or cluster: nothing can be compared"
            )
        there = {_metric(alarm) for alarm in _on_the_system(seen, seen.standby)}
        missing = [name for metric, name in here.items() if metric not in there]
        if missing:
            yield f"{seen.standby} has no alarm such as {listed(missing)} of {seen.primary}"


def _metric(alarm: Mapping[str, Any]) -> tuple[str, str]:
    return str(alarm.get("Namespace", "")), str(alarm.get("MetricName", ""))


def _on_the_system(seen: Seen, region: str) -> Iterator[Mapping[str, Any]]:
    """Alarms of one metric whose dimensions name the function or the cluster."""
    own = {part(seen, FunctionsPart).orders, part(seen, DatabasePart).clusters[region].id}
    for alarm in pages(seen.client("cloudwatch", region), "describe_alarms", "MetricAlarms"):
        if own & {str(d["Value"]) for d in alarm.get("Dimensions", ())}:
            yield alarm
