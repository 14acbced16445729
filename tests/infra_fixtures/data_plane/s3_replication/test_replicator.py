"""Objects follow their bucket's replication rules, asynchronously, on a real S3 API."""

from __future__ import annotations

import asyncio
from typing import Any

from botocore.exceptions import ClientError

from drill.wait import await_until
from infra_fixtures.data_plane.s3_replication.replicator import S3Replicator
from infra_fixtures.data_plane.s3_replication.rules import Rule, read_rules
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.control_plane.fis.conftest import role_for

SOURCE, TARGET = "orders-east", "orders-west"
NOT_YET_S = 0.3


def _buckets(layout: RunLayout) -> Any:
    """Two versioned buckets, an object older than the rule, and the rule; the client of the source region."""
    east = client(layout, "s3", "us-east-1")
    west = client(layout, "s3", "us-west-2")
    east.create_bucket(Bucket=SOURCE)
    west.create_bucket(Bucket=TARGET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for api, bucket in ((east, SOURCE), (west, TARGET)):
        api.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    east.put_object(Bucket=SOURCE, Key="receipts/before", Body=b"older than the rule")
    east.put_bucket_replication(
        Bucket=SOURCE,
        ReplicationConfiguration={
            "Role": "arn:aws:iam::123456789012:role/replication",
            "Rules": [
                {
                    "ID": "all",
                    "Priority": 1,
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {"Bucket": f"arn:aws:s3:::{TARGET}"},
                }
            ],
        },
    )
    return east


def _body(layout: RunLayout, key: str) -> bytes | None:
    try:
        body: bytes = client(layout, "s3", "us-west-2").get_object(Bucket=TARGET, Key=key)["Body"].read()
    except ClientError:
        return None
    return body


def test_follows_rules_pauses_and_resumes(control_plane: RunLayout) -> None:
    """New objects arrive, older ones do not; a pause, a lost region and a lag hold them back until it is over."""
    layout = control_plane

    async def scene() -> None:
        async with S3Replicator(layout) as replicator, asyncio.TaskGroup() as group:
            reconciling = group.create_task(run_reconcilers(layout, replicator))
            east = await call(_buckets, layout)

            async def ruled() -> bool:
                return SOURCE in replicator.state()["rules"]

            async def arrives(key: str, body: bytes) -> None:
                async def there() -> bool:
                    return await call(_body, layout, key) == body

                await await_until(there, what=f"the replica of {key}", timeout_s=5)

            await await_until(ruled, what="the rule", timeout_s=5)
            await call(east.put_object, Bucket=SOURCE, Key="receipts/1 ä+", Body=b"one")
            await arrives("receipts/1 ä+", b"one")
            assert await call(_body, layout, "receipts/before") is None

            def pause(on: bool) -> None:
                replicator.steer(paused=on)

            def set_suspended(on: bool) -> None:
                replicator.set_suspended("us-east-1", on)

            for name, switch in (("paused", pause), ("held", set_suspended)):
                switch(True)
                await call(east.put_object, Bucket=SOURCE, Key=name, Body=b"late")
                await asyncio.sleep(NOT_YET_S)
                assert await call(_body, layout, name) is None
                assert replicator.state()["pending"]["us-east-1"] == 1
                switch(False)
                await arrives(name, b"late")

            replicator.steer(lag_s=0.4)
            await call(east.put_object, Bucket=SOURCE, Key="lagging", Body=b"slow")
            await arrives("lagging", b"slow")
            state = replicator.state()
            assert state["lag_p99_s"] >= 0.4
            assert state["replicated"] == 4
            assert state["retried"] == 0
            reconciling.cancel()

    asyncio.run(scene())


def test_fis_holds_back_what_it_names(control_plane: RunLayout) -> None:
    """aws:s3:bucket-pause-replication: what is written meanwhile arrives when the action has ended, and not before."""
    layout = control_plane
    iam, fis = client(layout, "iam", "us-east-1"), client(layout, "fis", "us-east-1")
    trust = {"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = role_for(iam, "fis", {"Version": "2012-10-17", "Statement": [trust]})
    tags = [{"Key": "pause", "Value": "me"}]
    client(layout, "s3", "us-east-1").put_bucket_tagging(Bucket=SOURCE, Tagging={"TagSet": tags})

    def start(region: str) -> str:
        template = fis.create_experiment_template(
            description="a pause", roleArn=role, stopConditions=[{"source": "none"}],
            targets={
                "b": {"resourceType": "aws:s3:bucket", "resourceTags": {"pause": "me"}, "selectionMode": "ALL"}
            },
            actions={
                "pause": {
                    "actionId": "aws:s3:bucket-pause-replication",
                    "parameters": {"duration": "PT1H", "region": region},
                    "targets": {"Buckets": "b"},
                }
            },
        )["experimentTemplate"]["id"]  # fmt: skip
        return str(fis.start_experiment(experimentTemplateId=template)["experiment"]["id"])

    def state(experiment: str) -> str:
        return str(fis.get_experiment(id=experiment)["experiment"]["state"]["status"])

    async def scene() -> None:
        async with S3Replicator(layout) as replicator, asyncio.TaskGroup() as group:
            reconciling = group.create_task(run_reconcilers(layout, replicator))

            async def is_held() -> bool:
                return bool(replicator.state()["held_by_fis"] == [SOURCE])

            async def arrived() -> bool:
                return await call(_body, layout, "held by FIS") == b"late"

            paused = await call(start, "us-west-2")
            await await_until(is_held, what="the pause", timeout_s=5)
            await call(client(layout, "s3", "us-east-1").put_object, Bucket=SOURCE, Key="held by FIS", Body=b"late")
            await asyncio.sleep(NOT_YET_S)
            assert not await arrived()
            assert replicator.state()["pending"]["us-east-1"] == 1
            await call(fis.stop_experiment, id=paused)
            await await_until(arrived, what="what was held back", timeout_s=5)
            assert replicator.state()["held_by_fis"] == []
            nowhere = await call(start, "eu-west-1")

            async def has_failed() -> bool:
                return await call(state, nowhere) == "failed"

            await await_until(has_failed, what="the experiment that has nothing to pause", timeout_s=5)
            assert await call(state, paused) == "stopped"
            reconciling.cancel()

    asyncio.run(scene())


def test_rules_are_read_as_s3_gives_them() -> None:
    """Prefix in its three places, delete markers, priority; disabled rules, tag filters and unknown buckets select nothing."""
    there = {"Destination": {"Bucket": "arn:aws:s3:::west"}}
    bucket_regions = {"west": "us-west-2"}
    rules = list(
        read_rules(
            [
                {"Status": "Enabled", "Prefix": "a/", **there},
                {"Status": "Enabled", "Filter": {"Prefix": "b/"}, "Priority": 2, **there},
                {"Status": "Enabled", "DeleteMarkerReplication": {"Status": "Enabled"}, **there},
                {"Status": "Disabled", **there},
                {"Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, **there},
                {
                    "Status": "Enabled",
                    "Filter": {"And": {"Prefix": "c/", "Tags": [{"Key": "k", "Value": "v"}]}},
                    **there,
                },
                {"Status": "Enabled", "Destination": {"Bucket": "arn:aws:s3:::nowhere"}},
            ],
            bucket_regions,
        )
    )
    assert rules == [
        Rule("a/", "west", "us-west-2", False, 0),
        Rule("b/", "west", "us-west-2", False, 2),
        Rule("", "west", "us-west-2", True, 0),
    ]
