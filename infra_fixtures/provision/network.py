"""The network layer of a region: VPC, subnets, gateway, routes, network ACLs, security groups, service endpoints.

In the primary it lives in the account's default VPC, which is made where there is none and never deleted unless it was;
in the standby in a mirror of it. The private subnets have no way to the internet: AWS is reached by service endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.firewall import drop_rules, network_acl, security_group, set_rules
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.parts import Parts, find_parts
from infra_fixtures.topology import ENDPOINT_GROUP, RegionPlan, Topology

INTERFACE_ENDPOINTS = ("secretsmanager",)
"""What functions in the private subnets call, besides S3, which has a gateway endpoint."""
RELEASED_WITHIN_S = 1800.0
"""Lambda gives its network interfaces back up to 20 minutes after the last function that used them
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html)."""
IN_USE = ("DependencyViolation", "Client.CannotDelete")


@dataclass(frozen=True, slots=True)
class Network:
    """What was made, by the topology's names."""

    vpc_id: str
    subnets: Mapping[str, str]
    groups: Mapping[str, str]
    acls: Mapping[str, str]
    public: tuple[str, ...]
    private: tuple[str, ...]


def build(ec2: Any, topology: Topology, plan: RegionPlan, names: Names) -> Network:
    """Make the network, or what is missing of it."""
    found = find_parts(ec2, names)
    vpc_id = found.get("vpc") or _vpc(ec2, topology, plan, names)
    if not plan.default_vpc:  # also after a run that died before it had done so
        _name_hosts(ec2, vpc_id)
    parts = Parts(ec2, names, vpc_id, found)
    subnets = _subnets(parts, topology)
    public = tuple(subnets[s.name] for s in topology.subnets if s.public)
    private = tuple(subnets[s.name] for s in topology.subnets if not s.public)
    with ThreadPoolExecutor(3, thread_name_prefix="network") as branches:
        tables = branches.submit(_routes, parts, public, private)
        walls = branches.submit(_acls, parts, topology, public, private)
        groups = branches.submit(_groups, parts, topology).result()
        _endpoints(parts, plan.name, tables.result(), private, groups[ENDPOINT_GROUP])
        acls = walls.result()
    return Network(vpc_id, subnets, groups, acls, public, private)


def _vpc(ec2: Any, topology: Topology, plan: RegionPlan, names: Names) -> str:
    if plan.default_vpc:
        defaults = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        if not defaults:
            made = ec2.create_default_vpc()["Vpc"]
            ec2.create_tags(Resources=[made["VpcId"]], Tags=names.tag_list("vpc"))
            defaults = [made]
        if defaults[0]["CidrBlock"] != topology.vpc_cidr:
            raise UnusableInput(
                f"the default VPC of {plan.name} has the addresses {defaults[0]['CidrBlock']}, the topology is laid out "
                f"for {topology.vpc_cidr}: set default_vpc to false for that region"
            )
        return str(defaults[0]["VpcId"])
    made = ec2.create_vpc(CidrBlock=topology.vpc_cidr, TagSpecifications=names.tagged("vpc", "vpc"))["Vpc"]
    return str(made["VpcId"])


def _name_hosts(ec2: Any, vpc_id: str) -> None:
    """Give hosts names, which endpoints' private names need."""
    attribute = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
    if not attribute["EnableDnsHostnames"]["Value"]:
        ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})


def _subnets(parts: Parts, topology: Topology) -> dict[str, str]:
    if all(s.name in parts.found for s in topology.subnets):
        return {s.name: parts.found[s.name] for s in topology.subnets}
    zones = sorted(
        z["ZoneName"]
        for z in parts.ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])[
            "AvailabilityZones"
        ]
    )
    return {
        s.name: parts.make(
            "subnet", s.name, parts.ec2.create_subnet, lambda a: str(a["Subnet"]["SubnetId"]),
            VpcId=parts.vpc_id, CidrBlock=s.cidr, AvailabilityZone=zones[s.zone],
        )[0]
        for s in topology.subnets
    }  # fmt: skip


def _gateway(parts: Parts) -> str:
    """The VPC's internet gateway; a VPC has at most one, and the default VPC brings its own."""
    own = [{"Name": "attachment.vpc-id", "Values": [parts.vpc_id]}]
    attached = parts.ec2.describe_internet_gateways(Filters=own)["InternetGateways"]
    if attached:
        return str(attached[0]["InternetGatewayId"])
    gateway, _ = parts.make(
        "internet-gateway", "gateway", parts.ec2.create_internet_gateway,
        lambda a: str(a["InternetGateway"]["InternetGatewayId"]),
    )  # fmt: skip
    parts.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=parts.vpc_id)
    return gateway


def _routes(parts: Parts, public: tuple[str, ...], private: tuple[str, ...]) -> str:
    """The way out for the public subnets, none for the private ones; the private subnets' table."""
    gateway = _gateway(parts)
    ignore_errors(
        "RouteAlreadyExists",
        parts.ec2.create_route,
        RouteTableId=_route_table(parts, "public", public),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway,
    )
    return _route_table(parts, "private", private)


def _acls(parts: Parts, topology: Topology, public: tuple[str, ...], private: tuple[str, ...]) -> dict[str, str]:
    return {a.name: network_acl(parts, a, public if a.public else private) for a in topology.network_acls}


def _groups(parts: Parts, topology: Topology) -> dict[str, str]:
    """All groups first: their rules name each other."""
    groups = {g.name: security_group(parts, g) for g in topology.security_groups}
    for group in topology.security_groups:
        set_rules(parts.ec2, group, groups)
    return groups


def _route_table(parts: Parts, name: str, subnets: tuple[str, ...]) -> str:
    table, fresh = parts.make(
        "route-table", f"routes-{name}", parts.ec2.create_route_table, lambda a: str(a["RouteTable"]["RouteTableId"]),
        VpcId=parts.vpc_id,
    )  # fmt: skip
    associated: set[str] = set()
    if not fresh:
        described = parts.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
        associated = {a["SubnetId"] for a in described.get("Associations", ()) if a.get("SubnetId")}
    for subnet in subnets:
        if subnet not in associated:
            parts.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    return table


def _endpoints(parts: Parts, region: str, table: str, subnets: tuple[str, ...], group: str) -> None:
    def read(answer: Any) -> str:
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    parts.make(
        "vpc-endpoint", "endpoint-s3", parts.ec2.create_vpc_endpoint, read,
        VpcId=parts.vpc_id, ServiceName=f"com.amazonaws.{region}.s3", VpcEndpointType="Gateway", RouteTableIds=[table],
    )  # fmt: skip
    for service in INTERFACE_ENDPOINTS:
        parts.make(
            "vpc-endpoint", f"endpoint-{service}", parts.ec2.create_vpc_endpoint, read,
            VpcId=parts.vpc_id, ServiceName=f"com.amazonaws.{region}.{service}", VpcEndpointType="Interface",
            SubnetIds=list(subnets), SecurityGroupIds=[group], PrivateDnsEnabled=True,
        )  # fmt: skip


def tear_down(ec2: Any, names: Names) -> None:
    """Delete what of the network carries the run's tag; waits for interfaces that Lambda has not given back yet."""
    found = find_parts(ec2, names)

    def delete(call: str, gone: str, **resource: str) -> None:
        retry_while(
            IN_USE,
            lambda: ignore_errors(gone, getattr(ec2, call), **resource),
            what=f"{', '.join(resource.values())} to be out of use",
            timeout_s=RELEASED_WITHIN_S,
        )

    endpoints = [identity for part, identity in found.items() if part.startswith("endpoint-")]
    if endpoints:
        ec2.delete_vpc_endpoints(VpcEndpointIds=endpoints)
    groups = [identity for part, identity in found.items() if part.startswith("group-")]
    for group in groups:
        drop_rules(ec2, group)
    for group in groups:
        delete("delete_security_group", "InvalidGroup.NotFound", GroupId=group)
    subnets = [identity for part, identity in found.items() if part.startswith(("public-", "private-"))]
    gateways = [found["gateway"]] if "gateway" in found else []
    if "vpc" in found:  # a VPC of ours has nothing of others in it, but may have brought subnets and a gateway along
        in_it = [{"Name": "vpc-id", "Values": [found["vpc"]]}]
        attached = [{"Name": "attachment.vpc-id", "Values": [found["vpc"]]}]
        subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=in_it)["Subnets"]]
        described = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
        gateways = sorted({*gateways, *(g["InternetGatewayId"] for g in described)})
    for part, identity in found.items():
        if part.startswith("routes-"):
            _disassociate(ec2, identity)
    _give_back_acls(ec2, subnets)
    for subnet in subnets:
        delete("delete_subnet", "InvalidSubnetID.NotFound", SubnetId=subnet)
    for part, identity in found.items():
        if part.startswith("routes-"):
            delete("delete_route_table", "InvalidRouteTableID.NotFound", RouteTableId=identity)
        elif part.startswith("acl-"):
            delete("delete_network_acl", "InvalidNetworkAclID.NotFound", NetworkAclId=identity)
    for gateway in gateways:
        for one in ec2.describe_internet_gateways(InternetGatewayIds=[gateway])["InternetGateways"]:
            for attachment in one.get("Attachments", ()):
                ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=attachment["VpcId"])
        delete("delete_internet_gateway", "InvalidInternetGatewayID.NotFound", InternetGatewayId=gateway)
    if "vpc" in found:
        delete("delete_vpc", "InvalidVpcID.NotFound", VpcId=found["vpc"])


def _disassociate(ec2: Any, table: str) -> None:
    for association in ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"]:
        ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def _give_back_acls(ec2: Any, subnets: Sequence[str]) -> None:
    """Put subnets under their VPC's default ACL again, so that ours is out of use."""
    if not subnets:
        return
    in_force = [{"Name": "association.subnet-id", "Values": list(subnets)}]
    for acl in ec2.describe_network_acls(Filters=in_force)["NetworkAcls"]:
        if acl["IsDefault"]:
            continue
        of_vpc = [{"Name": "vpc-id", "Values": [acl["VpcId"]]}, {"Name": "default", "Values": ["true"]}]
        default = ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"][0]["NetworkAclId"]
        for association in acl["Associations"]:
            if association["SubnetId"] in subnets:
                ec2.replace_network_acl_association(
                    AssociationId=association["NetworkAclAssociationId"], NetworkAclId=default
                )
