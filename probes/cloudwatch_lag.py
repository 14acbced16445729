"""How far behind does CloudWatch say the standby's database is? The latest datapoint of Aurora's own metric."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.pace import Timer, paced
from infra_fixtures.targets.parts import DatabasePart, part_of
from infra_fixtures.targets.world import World

POLL_INTERVAL_S = 1.0
LATEST_OF_MIN = 5
"""A datapoint older than so many (paced) minutes is no claim about now; AWS's own come some two minutes late."""


class CloudWatchLag:
    """Samples cloudwatch_lag_s of aurora: what CloudWatch claims whenever it is asked, the datapoint of up to a minute ago.

    No sample where it shows none: nothing was published, as while replication is cut, or its API does not answer.
    """

    name = "cloudwatch_lag"
    needs: ClassVar[tuple[type, ...]] = (DatabasePart,)
    samples: ClassVar[tuple[tuple[str, str], ...]] = (("cloudwatch_lag_s", "aurora"),)

    def __init__(self, world: World, every_s: float = POLL_INTERVAL_S) -> None:
        self._cloudwatch = world.client("cloudwatch", world.standby)
        self._cluster = part_of(world, DatabasePart).clusters[world.standby].id
        self._minute_s = paced(world.pace, Timer.METRIC_MINUTE)
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop."""
        while not stop.wait(self._every_s):
            claimed_s = self._claimed()
            if claimed_s is not None:
                recorder.sample("cloudwatch_lag_s", "aurora", claimed_s)

    def _claimed(self) -> float | None:
        now = datetime.now(UTC)
        try:
            points = self._cloudwatch.get_metric_statistics(
                Namespace="AWS/RDS",
                MetricName="AuroraGlobalDBReplicationLag",
                Dimensions=[{"Name": "DBClusterIdentifier", "Value": self._cluster}],
                StartTime=now - timedelta(seconds=max(LATEST_OF_MIN * self._minute_s, 2.0)),
                EndTime=now
                + timedelta(seconds=1),  # emulators cut it to whole seconds, and the latest datapoint with it
                Period=max(round(self._minute_s), 1),
                Statistics=["Maximum"],
            )["Datapoints"]
        except (BotoCoreError, ClientError):
            return None  # the standby itself may be what is broken
        latest = max(points, key=lambda p: p["Timestamp"], default=None)
        return None if latest is None else float(latest["Maximum"]) / 1000
