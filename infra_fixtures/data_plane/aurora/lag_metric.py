"""AuroraGlobalDBReplicationLag as Aurora tells CloudWatch: in milliseconds, of a secondary cluster, in its own region.

Where the lag is not known (a partitioned link, a writer that does not answer, a standby that is down) nothing is published:
missing data is what AWS shows then, and 0 would be a lie.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from infra_fixtures.internal_api.metric_batch import MetricBatch
from infra_fixtures.run_layout import RunLayout

NAMESPACE, METRIC = "AWS/RDS", "AuroraGlobalDBReplicationLag"
POLL_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class SecondaryLag:
    """How far a secondary cluster is behind, as the engine of its primary knows."""

    region: str
    cluster_id: str
    lag_s: float


class LagMetric:
    """Looks all the time and publishes once a (paced) minute; use it as an async context manager."""

    def __init__(self, layout: RunLayout, read_lag: Callable[[], Awaitable[Sequence[SecondaryLag]]]) -> None:
        self._read_lag = read_lag
        self._batches = {r.name: MetricBatch(layout, r.name, NAMESPACE) for r in layout.regions}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> LagMetric:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(t) for t in (self._watch(), *(b.publish() for b in self._batches.values()))]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            for found in await self._read_lag():
                dimensions = (("DBClusterIdentifier", found.cluster_id),)
                self._batches[found.region].add(METRIC, found.lag_s * 1000, dimensions, unit="Milliseconds")
            await asyncio.sleep(POLL_INTERVAL_S)
