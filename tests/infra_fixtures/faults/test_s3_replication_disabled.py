"""A bucket whose replication rules are disabled: nothing of it reaches the standby until they are as before."""

from __future__ import annotations

import time
from typing import Any

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.s3_replication_disabled import S3ReplicationDisabled
from infra_fixtures.targets.parts import BucketPart, part_of
from tests.real_world import System

LONG_ENOUGH_S = 2.0
"""Objects of the embedded system are replicated within a fraction of it."""


def test_objects_stay_where_they_are_until_the_rules_are_as_before(system: System) -> None:
    """What was written meanwhile is not replicated afterwards, as on AWS; what is written then is."""
    world = system.world
    names = part_of(world, BucketPart).names
    source, replica = ((world.client("s3", r), names[r]) for r in (world.primary, world.standby))
    before = _rules(*source)
    _put(*source, "before")
    wait_until(lambda: _holds(*replica, "before"), what="an object to be replicated", timeout_s=20)
    with injected(world, S3ReplicationDisabled()):
        assert {rule["Status"] for rule in _rules(*source)} == {"Disabled"}
        _put(*source, "meanwhile")
        time.sleep(LONG_ENOUGH_S)
        assert not _holds(*replica, "meanwhile")
    assert world.journal.open_entries() == []
    assert _rules(*source) == before
    _put(*source, "afterwards")
    wait_until(lambda: _holds(*replica, "afterwards"), what="an object to be replicated again", timeout_s=20)
    assert not _holds(*replica, "meanwhile")


def _rules(s3: Any, bucket: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
    return rules


def _put(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key=f"s3-replication-disabled/{name}", Body=b"x")


def _holds(s3: Any, bucket: str, name: str) -> bool:
    key = f"s3-replication-disabled/{name}"
    return any(found["Key"] == key for found in s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ()))
