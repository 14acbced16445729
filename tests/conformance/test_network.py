"""EC2: the network of a region, and the rules by which faults cut it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.backends import STANDBY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused

TCP_5432 = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}


@pytest.fixture
def ec2(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    """A fresh VPC's id."""
    return str(ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"])


def _group(ec2: Any, vpc: str, name: str) -> str:
    return str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])


def _ingress(ec2: Any, group: str) -> list[dict[str, Any]]:
    return list(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"])


def test_a_vpc_is_found_by_its_tag(ec2: Any, unique: Names) -> None:
    """Tags given at creation are what provisioning finds its parts by."""
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "run", "Value": unique("run")}]}]
    made = ec2.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    found = ec2.describe_vpcs(Filters=[{"Name": "tag:run", "Values": [unique("run")]}])["Vpcs"]
    assert [v["VpcId"] for v in found] == [made]


def test_a_region_knows_nothing_of_another_s_network(aws: Backend, vpc: str) -> None:
    """A VPC of the primary is unknown in the standby."""
    with refused("InvalidVpcID.NotFound"):
        aws.client("ec2", STANDBY).describe_vpcs(VpcIds=[vpc])


def test_subnets_lie_in_the_zones_asked_for(ec2: Any, vpc: str) -> None:
    """Two subnets, two availability zones."""
    zones = [z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    for i, zone in enumerate(zones):
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.7.{i}.0/24", AvailabilityZone=zone)
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert sorted(s["AvailabilityZone"] for s in found) == sorted(zones)


def test_overlapping_subnets_are_refused(ec2: Any, vpc: str) -> None:
    """A range within another subnet's is a conflict."""
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")
    with refused("InvalidSubnet.Conflict"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.128/25")


def test_a_route_deleted_is_gone_at_once(ec2: Any, vpc: str) -> None:
    """The way to the internet can be taken away and given back."""
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    way = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}

    def gateways() -> list[str]:
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return [r["GatewayId"] for r in routes if r.get("DestinationCidrBlock") == "0.0.0.0/0"]

    ec2.create_route(**way, GatewayId=gateway)
    assert gateways() == [gateway]
    ec2.delete_route(**way)
    assert gateways() == []


def test_a_subnet_takes_the_route_table_it_is_given(ec2: Any, vpc: str) -> None:
    """Associations are described, by which followers learn a subnet's routes."""
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.3.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    found = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
    assert [t["RouteTableId"] for t in found] == [table]


def test_a_network_acl_keeps_its_entries_by_number(ec2: Any, vpc: str) -> None:
    """A deny put before an allow is told with its number and gone when deleted."""
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "Egress": False}
    for number, action in ((100, "allow"), (50, "deny")):
        ec2.create_network_acl_entry(
            **entry, RuleNumber=number, RuleAction=action, Protocol="-1", CidrBlock="10.0.0.0/8"
        )

    def rules() -> dict[int, str]:
        entries = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        return {e["RuleNumber"]: e["RuleAction"] for e in entries if e.get("CidrBlock") == "10.0.0.0/8"}

    assert rules() == {50: "deny", 100: "allow"}
    ec2.delete_network_acl_entry(**entry, RuleNumber=50)
    assert rules() == {100: "allow"}


def test_a_network_acl_can_take_the_place_of_the_default(ec2: Any, vpc: str) -> None:
    """A subnet goes from the default ACL to another by its association."""
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.4.0/24")["Subnet"]["SubnetId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    of_subnet = [{"Name": "association.subnet-id", "Values": [subnet]}]
    held = ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"][0]["Associations"]
    association = next(a["NetworkAclAssociationId"] for a in held if a["SubnetId"] == subnet)
    ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    assert [a["NetworkAclId"] for a in ec2.describe_network_acls(Filters=of_subnet)["NetworkAcls"]] == [acl]


def test_a_rule_can_name_another_group(ec2: Any, vpc: str, unique: Names) -> None:
    """The database's group lets in the functions' group, not addresses."""
    database, functions = _group(ec2, vpc, unique("db")), _group(ec2, vpc, unique("fn"))
    permission = {**TCP_5432, "UserIdGroupPairs": [{"GroupId": functions}]}
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[permission])
    [found] = _ingress(ec2, database)
    assert [p["GroupId"] for p in found["UserIdGroupPairs"]] == [functions]


def test_a_rule_revoked_is_gone_at_once(ec2: Any, vpc: str, unique: Names) -> None:
    """Revoking cuts, authorizing again heals."""
    group = _group(ec2, vpc, unique("db"))
    permission = {**TCP_5432, "IpRanges": [{"CidrIp": "10.7.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert _ingress(ec2, group) == []
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert len(_ingress(ec2, group)) == 1


def test_the_same_rule_twice_is_refused(ec2: Any, vpc: str, unique: Names) -> None:
    """As AWS does, so that healing twice is noticed."""
    group = _group(ec2, vpc, unique("db"))
    permission = {**TCP_5432, "IpRanges": [{"CidrIp": "10.7.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


def test_a_group_in_use_by_another_cannot_be_deleted(ec2: Any, vpc: str, unique: Names) -> None:
    """Tear-down has to take the rules away first."""
    database, functions = _group(ec2, vpc, unique("db")), _group(ec2, vpc, unique("fn"))
    permission = {**TCP_5432, "UserIdGroupPairs": [{"GroupId": functions}]}
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[permission])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=functions)


def test_a_gateway_endpoint_for_s3_is_described(aws: Backend, ec2: Any, vpc: str) -> None:
    """Private subnets reach S3 through it."""
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
    )["VpcEndpoint"]["VpcEndpointId"]
    [found] = ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"]
    assert (found["VpcEndpointType"], found["RouteTableIds"]) == ("Gateway", [table])
