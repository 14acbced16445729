"""What a service of the data plane publishes about itself to CloudWatch, gathered and put once a (paced) minute.

AWS's services publish at one-minute granularity; here the minute is paced. Values travel as statistic
sets (count, sum, minimum, maximum), so Sum, Average, SampleCount, Minimum and Maximum are exact and percentiles are not
to be had.
"""

from __future__ import annotations

import asyncio
import logging
import time

import aiohttp

from infra_fixtures.internal_api.aws_json import AwsError, JsonService
from infra_fixtures.pace import Timer, paced
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

MOST_DATA_A_CALL = 1000
"""PutMetricData takes at most 1,000 data a call (CloudWatch API reference)."""

Dimensions = tuple[tuple[str, str], ...]


class MetricBatch:
    """Statistics of one namespace in one region since the last put."""

    def __init__(self, layout: RunLayout, region: str, namespace: str) -> None:
        self._namespace = namespace
        self._every_s = paced(layout.pace, Timer.METRIC_MINUTE)
        self._cloudwatch = JsonService(
            layout, region, scope="monitoring", target="GraniteServiceVersion20100801", version="1.0"
        )
        self._sets: dict[tuple[str, str, Dimensions], list[float]] = {}

    def add(self, metric: str, value: float, dimensions: Dimensions, unit: str = "Count") -> None:
        """Note one value of a metric."""
        key = (metric, unit, dimensions)
        statistics = self._sets.get(key)
        if statistics is None:
            self._sets[key] = [1.0, value, value, value]
            return
        statistics[0] += 1.0
        statistics[1] += value
        if value < statistics[2]:
            statistics[2] = value
        if value > statistics[3]:
            statistics[3] = value

    async def publish(self) -> None:
        """Put what was gathered every paced minute, until cancelled; what cannot be put is dropped, as AWS does."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self.put()
        finally:
            await self._cloudwatch.close()

    async def put(self) -> None:
        """Put what was gathered now."""
        gathered, self._sets = self._sets, {}
        now = time.time()
        data = [
            {
                "MetricName": metric,
                "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions],
                "Timestamp": now,
                "Unit": unit,
                "StatisticValues": {"SampleCount": count, "Sum": total, "Minimum": least, "Maximum": most},
            }
            for (metric, unit, dimensions), (count, total, least, most) in gathered.items()
        ]
        for start in range(0, len(data), MOST_DATA_A_CALL):
            part = data[start : start + MOST_DATA_A_CALL]
            try:
                await self._cloudwatch.call("PutMetricData", {"Namespace": self._namespace, "MetricData": part})
            except (AwsError, aiohttp.ClientError, OSError, TimeoutError) as e:
                log.warning("%d metrics of %s not put: %s", len(part), self._namespace, e)
