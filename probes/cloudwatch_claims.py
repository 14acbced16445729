"""What does CloudWatch claim, beside what clients measure? The latest datapoint of each of AWS's own metrics of a failover.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html (AuroraGlobalDBReplicationLag
and AuroraGlobalDBRPOLag, milliseconds, in the secondary's region),
https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html (ReplicationLatency, seconds, in the destination's
region, and only where the rule has metrics or Replication Time Control),
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html (HealthCheckStatus, 1 or 0, in us-east-1).
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.pace import Timer, paced
from infra_fixtures.targets.parts import BucketPart, DatabasePart, HealthChecksPart
from infra_fixtures.targets.world import World

POLL_INTERVAL_S = 1.0
LATEST_OF_MIN = 5
"""A datapoint older than so many (paced) minutes is no claim about now; AWS's own come some two minutes late."""
ROUTE53_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Claim:
    """A gauge and the metric that it is read from; `per_unit` of the metric's units are one of the gauge's."""

    gauge: str
    subject: str
    region: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    per_unit: float = 1.0
    statistic: Literal["Maximum", "Minimum"] = "Maximum"

    def latest(self, cloudwatch: Any, minute_s: float) -> float | None:
        """Its latest datapoint of the last minutes; None where there is none or the API does not answer."""
        now = datetime.now(UTC)
        try:
            points = cloudwatch.get_metric_statistics(
                Namespace=self.namespace,
                MetricName=self.metric,
                Dimensions=[{"Name": name, "Value": value} for name, value in self.dimensions],
                StartTime=now - timedelta(seconds=max(LATEST_OF_MIN * minute_s, 2.0)),
                EndTime=now
                + timedelta(seconds=1),  # emulators cut it to whole seconds, and the latest datapoint with it
                Period=max(round(minute_s), 1),
                Statistics=[self.statistic],
            )["Datapoints"]
        except (BotoCoreError, ClientError):
            return None  # the region itself may be what is broken
        latest = max(points, key=lambda p: p["Timestamp"], default=None)
        return None if latest is None else float(latest[self.statistic]) / self.per_unit


class CloudWatchClaims:
    """Samples cloudwatch_lag_s and cloudwatch_rpo_lag_s of aurora, cloudwatch_s3_lag_s of s3, cloudwatch_health by region.

    Each is what CloudWatch claims when it is asked: the datapoint of up to a minute ago. No sample where it shows none:
    nothing was published, as while replication is cut, or its API does not answer.
    """

    name = "cloudwatch_claims"
    needs: ClassVar[tuple[type, ...]] = (DatabasePart,)
    samples: ClassVar[tuple[tuple[str, str], ...]] = (
        ("cloudwatch_lag_s", "aurora"),
        ("cloudwatch_rpo_lag_s", "aurora"),
        ("cloudwatch_s3_lag_s", "s3"),
        ("cloudwatch_health", ""),
    )

    def __init__(self, world: World, every_s: float = POLL_INTERVAL_S) -> None:
        self._world = world
        self._minute_s = paced(world.pace, Timer.METRIC_MINUTE)
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Ask for one after the other until told to stop: each has a new datapoint a minute."""
        world = self._world
        claims = [*_of_database(world), *_of_buckets(world), *_of_health_checks(world)]
        clients = {claim.region: world.client("cloudwatch", claim.region) for claim in claims}
        for claim in itertools.cycle(claims):
            if stop.wait(self._every_s):
                return
            client = clients[claim.region]
            value = None if client is None else claim.latest(client, self._minute_s)
            if value is not None:
                recorder.sample(claim.gauge, claim.subject, value)


def _of_database(world: World) -> Iterator[Claim]:
    database = world.part(DatabasePart)
    if database is not None and world.standby in database.clusters:
        dimensions = (("DBClusterIdentifier", database.clusters[world.standby].id),)
        where = (world.standby, "AWS/RDS")
        yield Claim("cloudwatch_lag_s", "aurora", *where, "AuroraGlobalDBReplicationLag", dimensions, 1000)
        yield Claim("cloudwatch_rpo_lag_s", "aurora", *where, "AuroraGlobalDBRPOLag", dimensions, 1000)


def _of_buckets(world: World) -> Iterator[Claim]:
    """Of every rule of the primary's bucket that leads to the standby's."""
    buckets = world.part(BucketPart)
    s3 = world.client("s3", world.primary) if buckets is not None else None
    if buckets is None or s3 is None:
        return
    source, destination = buckets.names[world.primary], buckets.names[world.standby]
    try:
        rules = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"]
    except (BotoCoreError, ClientError):
        return
    for rule in rules:
        if rule["Destination"]["Bucket"].rpartition(":")[2] == destination and "ID" in rule:
            names = (("SourceBucket", source), ("DestinationBucket", destination), ("RuleId", str(rule["ID"])))
            yield Claim("cloudwatch_s3_lag_s", "s3", world.standby, "AWS/S3", "ReplicationLatency", names)


def _of_health_checks(world: World) -> Iterator[Claim]:
    checks = world.part(HealthChecksPart)
    for region, check in checks.ids.items() if checks is not None else ():
        dimensions = (("HealthCheckId", check),)
        yield Claim(
            "cloudwatch_health",
            region,
            ROUTE53_REGION,
            "AWS/Route53",
            "HealthCheckStatus",
            dimensions,
            statistic="Minimum",
        )
