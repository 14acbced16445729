"""A rehearsal: what a fault would call is judged by the guard and noted, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.rehearsal import PowerRehearsed
from tests.infra_fixtures.safety.guard_bench import (
    OTHER,
    OVER,
    REGION,
    TAG,
    TAGS,
    AwsClient,
    Bench,
    record_change,
)


@pytest.fixture
def bench(aws_client: AwsClient, control_plane: RunLayout) -> Bench:
    """A bench at the module's control plane."""
    return Bench(aws_client, control_plane)


def test_a_rehearsal_judges_and_notes_and_sends_nothing(bench: Bench) -> None:
    """What is made in it is known by a made-up id afterwards; what the scope does not allow is refused as ever."""
    free = bench.free("ec2")
    vpc = free.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    free.create_tags(Resources=[vpc], Tags=TAGS)
    guard = bench.guard(tag=TAG, confirmed=False, windows=(OVER,), regions=frozenset({REGION}))
    ec2 = bench.client(guard, "ec2")
    with guard.rehearsing() as planned:
        tagged = [{"ResourceType": "network-acl", "Tags": TAGS}]
        acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged)["NetworkAcl"]["NetworkAclId"]
        ec2.delete_network_acl(NetworkAclId=acl)
        with ThreadPoolExecutor(1) as another:
            another.submit(ec2.create_network_acl, VpcId=vpc).result()
        with pytest.raises(Refused, match="none of the regions"):
            bench.client(guard, "ec2", OTHER).create_network_acl(VpcId=vpc)
        with pytest.raises(PowerRehearsed, match="lose_region in us-east-1"):
            guard.allow_power("lose_region", REGION)
        ec2.describe_vpcs(VpcIds=[vpc])
    assert bench.sent == ["DescribeVpcs"]
    assert [str(p) for p in planned] == [
        f"ec2 CreateNetworkAcl in us-east-1 on {vpc}",
        f"ec2 DeleteNetworkAcl in us-east-1 on {acl}",
        f"ec2 CreateNetworkAcl in us-east-1 on {vpc}",
        "power lose_region in us-east-1",
    ]
    with pytest.raises(Refused, match="nobody has confirmed"):
        ec2.create_network_acl(VpcId=vpc)


def test_a_rehearsed_call_is_held_back_twice(bench: Bench) -> None:
    """Were its answer lost on the way, it would still not be sent."""
    guard = bench.guard()
    sqs = bench.client(guard, "sqs")
    sqs.meta.events.unregister("before-call", unique_id=f"guard-{id(guard)}-rehearse")
    with guard.rehearsing() as planned, pytest.raises(Refused, match="it is rehearsed only"):
        sqs.create_queue(QueueName="q")
    assert len(planned) == 1
    assert bench.sent == []


def test_a_rehearsal_finds_what_would_be_made_without_the_tag(bench: Bench) -> None:
    """Nobody could touch it again, and so not undo it either: it is refused while nothing is made yet."""
    free = bench.free("ec2")
    vpc = free.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    free.create_tags(Resources=[vpc], Tags=TAGS)
    guard = bench.guard(tag=TAG)
    ec2 = bench.client(guard, "ec2")
    with guard.rehearsing():
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        with pytest.raises(Refused, match="a call before it makes what it touches without the tag dr-drill=may-break"):
            ec2.delete_network_acl(NetworkAclId=acl)
    assert bench.sent == []


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "read"),
    [
        ("lambda", "invoke", {"FunctionName": "f"}, lambda a: a["Payload"].read()),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}, lambda a: a["ETag"]),
        ("rds", "delete_db_cluster", {"DBClusterIdentifier": "c"}, lambda a: a["DBCluster"]),
        ("route53", "change_resource_record_sets", {"HostedZoneId": "Z", "ChangeBatch": record_change()}, lambda a: a["ChangeInfo"]),  # noqa: E501
        ("sqs", "create_queue", {"QueueName": "q"}, lambda a: a["QueueUrl"]),
        ("kms", "disable_key", {"KeyId": "k"}, lambda a: a["ResponseMetadata"]),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_every_protocol_can_be_rehearsed(
    bench: Bench, service: str, operation: str, parameters: dict[str, Any], read: Callable[[Any], Any]
) -> None:
    """REST, query, JSON and XML alike: the answer has the shape that callers read."""
    guard = bench.guard()
    client = bench.client(guard, service)
    with guard.rehearsing() as planned:
        assert read(getattr(client, operation)(**parameters))
    assert [p.service for p in planned] == [service]
    assert bench.sent == []
