"""The bucket's lag is the age of the oldest heartbeat object that the standby's bucket lacks."""

from __future__ import annotations

from probes.object_lag import ObjectLag
from tests.probes.conftest import watching
from tests.real_world import System


def test_the_lag_grows_while_nothing_is_replicated(system: System) -> None:
    """Without a replication rule the age of the first object grows; with it, it was small."""
    world = system.world
    s3, bucket = world.client("s3", world.primary), world.deployed.regions[world.primary].bucket
    rules = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    with watching(ObjectLag(world, every_s=0.1)) as notebook:
        notebook.await_said("replication_lag_s", subject="s3")
        notebook.await_value(below=0.5)
        assert notebook.await_value(what="replication_lag_upper_s", below=1.0).value > 0
        s3.delete_bucket_replication(Bucket=bucket)
        try:
            notebook.await_value(above=1.0)
        finally:
            s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=rules)
