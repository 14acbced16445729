"""Tearing down: everything of the run, and nothing of anybody else."""

from __future__ import annotations

import msgspec

from infra_fixtures.provision import Clients, provision, tear_down
from infra_fixtures.topology import Subnet, Topology
from tests.infra_fixtures.provision.inventory import REGIONS, everything


def test_nothing_of_the_run_is_left(clients: Clients, topology: Topology) -> None:
    """Objects, versions, delete markers, changed health checks and all: after tearing down, a look finds nothing."""
    edged = msgspec.structs.replace(_apart(topology), zone="gone.example.", cloudfront=True)
    made = provision(clients, edged, "run-gone")
    bucket, s3 = made.regions["us-east-1"].bucket, clients.client("s3", "us-east-1")
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="receipts/1", Body=body)
    s3.delete_object(Bucket=bucket, Key="receipts/1")
    health_check = made.regions["us-east-1"].health_check_id
    clients.client("route53", None).update_health_check(HealthCheckId=health_check, Inverted=True)
    assert len(everything(clients, "run-gone")) > 80
    tear_down(clients, edged, "run-gone")
    assert everything(clients, "run-gone") == set()


def test_another_run_is_not_touched(clients: Clients, topology: Topology) -> None:
    """Two runs side by side: one is torn down, the other stands as before; so does what was there before both."""
    before = {r: _defaults(clients, r) for r in REGIONS}
    ours = msgspec.structs.replace(_apart(topology), zone="ours.example.")
    theirs = msgspec.structs.replace(topology, zone="theirs.example.", subnets=_moved(topology))
    provision(clients, theirs, "run-theirs")
    standing = everything(clients, "run-theirs")
    provision(clients, ours, "run-ours")
    tear_down(clients, ours, "run-ours")
    assert everything(clients, "run-ours") == set()
    assert everything(clients, "run-theirs") == standing
    tear_down(clients, theirs, "run-theirs")
    assert {r: _defaults(clients, r) for r in REGIONS} == before


def test_a_half_made_run_is_torn_down(clients: Clients, topology: Topology) -> None:
    """What a run that died left, with parts missing anywhere, goes away; tearing down nothing is no error."""
    half = msgspec.structs.replace(_apart(topology), zone="half.example.")
    made = provision(clients, half, "run-half")
    clients.client("lambda", "us-west-2").delete_function(FunctionName=made.canary_function)
    clients.client("apigateway", "us-east-1").delete_rest_api(restApiId=made.regions["us-east-1"].api_id)
    clients.client("cloudwatch", "us-west-2").delete_alarms(AlarmNames=[made.alarm_name])
    clients.client("sns", "us-west-2").delete_topic(TopicArn=made.topic_arn)
    clients.client("kms", "us-west-2").delete_alias(AliasName="alias/drill-run-half-data")
    tear_down(clients, half, "run-half")
    assert everything(clients, "run-half") == set()
    tear_down(clients, half, "run-half")


def _defaults(clients: Clients, region: str) -> tuple[int, int]:
    """How many VPCs and subnets the account has in a region."""
    ec2 = clients.client("ec2", region)
    return len(ec2.describe_vpcs()["Vpcs"]), len(ec2.describe_subnets()["Subnets"])


def _apart(topology: Topology) -> Topology:
    """In VPCs of its own, as the addresses in the default VPC are the package's other run's."""
    return msgspec.structs.replace(topology, primary=msgspec.structs.replace(topology.primary, default_vpc=False))


def _moved(topology: Topology) -> tuple[Subnet, ...]:
    """Elsewhere in the default VPC, which two runs share."""
    return tuple(msgspec.structs.replace(s, cidr=f"172.31.{160 + 16 * i}.0/20") for i, s in enumerate(topology.subnets))
