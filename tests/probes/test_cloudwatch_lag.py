"""What CloudWatch claims is sampled as it shows it; where it shows nothing there is no sample."""

from __future__ import annotations

import datetime

from probes.cloudwatch_lag import CloudWatchLag
from tests.probes.conftest import let_pass, watching
from tests.real_world import System


def test_the_latest_claim_is_sampled_in_seconds(system: System) -> None:
    """The database's own metric of a system at rest; then what was put last."""
    world = system.world
    with watching(CloudWatchLag(world, every_s=0.1)) as notebook:
        own = notebook.await_value(what="cloudwatch_lag_s", below=1.0, timeout_s=20)
        assert own.subject == "aurora"
        assert own.value >= 0
        world.client("cloudwatch", world.standby).put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": "AuroraGlobalDBReplicationLag",
                    "Dimensions": [
                        {"Name": "DBClusterIdentifier", "Value": world.deployed.regions[world.standby].cluster_id}
                    ],
                    "Timestamp": datetime.datetime.now(datetime.UTC),
                    "Value": 2500.0,
                    "Unit": "Milliseconds",
                }
            ],
        )
        notebook.await_value(what="cloudwatch_lag_s", above=2.49, below=2.51)


def test_where_cloudwatch_shows_nothing_there_is_no_sample(system: System) -> None:
    """Of a cluster that nobody publishes anything of, nothing is claimed, and the probe lives on."""
    probe = CloudWatchLag(system.world, every_s=0.1)
    probe._cluster = "no-such-cluster"
    with watching(probe) as notebook:
        let_pass(0.5)
    assert notebook.said == []
