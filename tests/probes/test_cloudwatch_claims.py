"""What CloudWatch claims is sampled as it shows it; where it shows nothing there is no sample."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from infra_fixtures.targets.parts import BucketPart, DatabasePart, HealthChecksPart, part_of
from probes.cloudwatch_claims import ROUTE53_REGION, CloudWatchClaims
from tests.probes.conftest import let_pass, watching
from tests.real_world import System


def _put(world: Any, region: str, namespace: str, metric: str, value: float, **dimensions: str) -> None:
    datum = {
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Timestamp": datetime.datetime.now(datetime.UTC),
        "Value": value,
    }
    world.client("cloudwatch", region).put_metric_data(Namespace=namespace, MetricData=[datum])


def test_the_latest_claim_is_sampled_in_seconds(system: System) -> None:
    """The database's own metric of a system at rest; then what was put last."""
    world = system.world
    cluster = part_of(world, DatabasePart).clusters[world.standby].id
    with watching(CloudWatchClaims(world, every_s=0.1)) as notebook:
        own = notebook.await_value(what="cloudwatch_lag_s", below=1.0, timeout_s=20)
        assert own.subject == "aurora"
        assert own.value >= 0
        database = (world, world.standby, "AWS/RDS")
        _put(*database, "AuroraGlobalDBReplicationLag", 2500.0, DBClusterIdentifier=cluster)
        _put(*database, "AuroraGlobalDBRPOLag", 1250.0, DBClusterIdentifier=cluster)
        notebook.await_value(what="cloudwatch_lag_s", above=2.49, below=2.51)
        notebook.await_value(what="cloudwatch_rpo_lag_s", above=1.24, below=1.26)


def test_claims_of_replication_and_health_checks_are_sampled(system: System) -> None:
    """By the rule of the bucket as it is; a health check's metric is in one region, whichever it watches."""
    world = system.world
    buckets, checks = part_of(world, BucketPart).names, part_of(world, HealthChecksPart).ids
    rule = world.client("s3", world.primary).get_bucket_replication(Bucket=buckets[world.primary])
    names = {
        "SourceBucket": buckets[world.primary],
        "DestinationBucket": buckets[world.standby],
        "RuleId": rule["ReplicationConfiguration"]["Rules"][0]["ID"],
    }
    with watching(CloudWatchClaims(world, every_s=0.1)) as notebook:
        _put(world, world.standby, "AWS/S3", "ReplicationLatency", 3.5, **names)
        check = checks[world.standby]
        _put(world, ROUTE53_REGION, "AWS/Route53", "HealthCheckStatus", 0.0, HealthCheckId=check)
        assert notebook.await_said("cloudwatch_s3_lag_s").value == pytest.approx(3.5)
        assert notebook.await_said("cloudwatch_health", subject=world.standby).value == 0


class _Elsewhere:
    """A world whose database cluster nobody publishes anything of, and that has nothing else."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def part(self, kind: type) -> Any:
        """No cluster that there is."""
        if kind is not DatabasePart:
            return None
        own = part_of(self._world, DatabasePart)
        return DatabasePart(
            own.global_cluster_id, {r: type(c)("no-such-cluster", c.arn) for r, c in own.clusters.items()}
        )


def test_where_cloudwatch_shows_nothing_there_is_no_sample(system: System) -> None:
    """Of a cluster that nobody publishes anything of, nothing is claimed, and the probe lives on."""
    with watching(CloudWatchClaims(_Elsewhere(system.world), every_s=0.1)) as notebook:
        let_pass(0.5)
    assert notebook.said == []
