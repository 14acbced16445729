"""A run that died between two calls, and zones that are there already: what is missing is made, what is others' is left."""

from __future__ import annotations

from typing import Any

import msgspec

from infra_fixtures.provision import Clients, Deployed, certificate, dns, identity, network
from infra_fixtures.provision.compute import ALIAS, scaling
from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.topology import Topology

REGION = "us-west-2"


def test_a_key_without_its_alias_is_found_again(clients: Clients) -> None:
    """By its tag: another would be made, and the first one paid for until somebody sees it."""
    kms, names = clients.client("kms", REGION), Names("run-key")
    first = identity.key(kms, names, REGION)
    kms.delete_alias(AliasName=f"alias/{names.of('data')}")
    assert identity.key(kms, names, REGION) == first
    assert kms.describe_key(KeyId=f"alias/{names.of('data')}")["KeyMetadata"]["KeyId"] == first.id


def test_a_key_that_is_to_be_deleted_is_not_used_again(clients: Clients) -> None:
    """A teardown that was cut short left its alias."""
    kms, names = clients.client("kms", REGION), Names("run-cut")
    first = identity.key(kms, names, REGION)
    kms.schedule_key_deletion(KeyId=first.id, PendingWindowInDays=7)
    second = identity.key(kms, names, REGION)
    assert second.id != first.id
    assert kms.describe_key(KeyId=second.id)["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_gateway_that_was_not_attached_is_attached(clients: Clients, topology: Topology) -> None:
    """And hosts of the VPC have names, which is a call after the VPC's own."""
    ec2, names = clients.client("ec2", REGION), Names("run-net")
    vpc = ec2.create_vpc(CidrBlock="172.31.0.0/16", TagSpecifications=names.tagged("vpc", "vpc"))["Vpc"]["VpcId"]
    made = ec2.create_internet_gateway(TagSpecifications=names.tagged("internet-gateway", "gateway"))
    gateway = made["InternetGateway"]["InternetGatewayId"]
    network.build(ec2, topology, topology.standby, names)
    (found,) = ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]
    assert [attached["VpcId"] for attached in found["Attachments"]] == [vpc]
    assert ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"]
    network.tear_down(ec2, names)


def test_a_scalable_target_without_its_policy_gets_one(
    clients: Clients, topology: Topology, deployed: Deployed
) -> None:
    """Registering the target is the call before."""
    names = Names(deployed.run_id)
    autoscaling, lambda_ = (clients.client(s, REGION) for s in ("application-autoscaling", "lambda"))
    resource = {"ServiceNamespace": "lambda", "ResourceId": f"function:{names.orders}:{ALIAS}"}

    def policies() -> list[Any]:
        found: list[Any] = autoscaling.describe_scaling_policies(**resource)["ScalingPolicies"]
        return found

    (policy,) = policies()
    autoscaling.delete_scaling_policy(
        **resource, PolicyName=policy["PolicyName"], ScalableDimension=policy["ScalableDimension"]
    )
    scaling(autoscaling, lambda_, topology.standby, names)
    assert [p["PolicyName"] for p in policies()] == [policy["PolicyName"]]


def test_a_certificate_is_proven_in_a_zone_that_is_others_too(clients: Clients, topology: Topology) -> None:
    """One record for both regions' certificates; afterwards the zone has what it had, and a second look makes nothing."""
    route53, names = clients.client("route53", None), Names("run-tls")
    ours = msgspec.structs.replace(topology, zone="shared.example.", api_label="drill-run-tls")
    zone = str(route53.create_hosted_zone(Name=ours.zone, CallerReference="theirs")["HostedZone"]["Id"])
    theirs = {"Name": "www.shared.example.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    dns.change(route53, zone, "UPSERT", [theirs])

    def records() -> set[str]:
        return {r["Name"] for r in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]}

    before, arns = records(), {}
    for region in topology.region_names:
        acm = clients.client("acm", region)
        arns[region] = certificate.certificate(acm, route53, ours, names, region, zone, 0.05)
        assert acm.describe_certificate(CertificateArn=arns[region])["Certificate"]["Status"] == "ISSUED"
        assert certificate.certificate(acm, route53, ours, names, region, zone, 0.05) == arns[region]
        tags = acm.list_tags_for_certificate(CertificateArn=arns[region])["Tags"]
        assert {"Key": RUN_TAG, "Value": "run-tls"} in tags
    assert len(records() - before) == 1
    dns.tear_down(route53, ours, names, zone)
    for region in topology.region_names:
        certificate.tear_down(clients.client("acm", region), ours, names)
        assert certificate.find(clients.client("acm", region), ours, names) is None
    assert records() == before
    dns.change(route53, zone, "DELETE", [theirs])
    route53.delete_hosted_zone(Id=zone)
