"""Security groups, network ACLs and routes rule the links as soon as the API call returns."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.network.policy import NetworkPolicy
from infra_fixtures.data_plane.network.rules import ANYWHERE, EPHEMERAL, Network, acl_admits, acl_of, group_of
from infra_fixtures.internal_api.clients import client
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import RunLayout

REGION = "us-east-1"
EFFECT_LIMIT_S = 0.25


@dataclass(frozen=True)
class Ids:
    """What the test changes."""

    vpc: str
    gateway: str
    function_group: str
    database_group: str
    private_acl: str
    public_acl: str
    public_table: str


def _acl(ec2: Any, vpc: str, subnets: list[str]) -> str:
    """A network ACL that admits everything, put on subnets."""
    acl: str = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for egress in (False, True):
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow", Egress=egress, CidrBlock="0.0.0.0/0"
        )
    for present in ec2.describe_network_acls()["NetworkAcls"]:
        for association in present["Associations"]:
            if association["SubnetId"] in subnets:
                ec2.replace_network_acl_association(
                    AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl
                )
    return acl


def _provision(layout: RunLayout) -> Ids:
    """A VPC with public, function and database subnets, a function and a cluster in it, as the architecture has them."""
    ec2, rds = client(layout, "ec2", REGION), client(layout, "rds", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets = {
        name: ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
        for name, cidr, zone in (
            ("public", "10.7.0.0/24", "a"), ("functions", "10.7.10.0/24", "a"),
            ("database-a", "10.7.20.0/24", "a"), ("database-b", "10.7.21.0/24", "b"),
        )
    }  # fmt: skip
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for name in ("public", "functions"):
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[name])
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    functions, database = (
        ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("functions", "database")
    )
    everything = ec2.describe_security_groups(GroupIds=[functions])["SecurityGroups"][0]["IpPermissionsEgress"]
    ec2.revoke_security_group_egress(GroupId=functions, IpPermissions=everything)
    ec2.authorize_security_group_egress(GroupId=functions, IpPermissions=[_to(database), _https()])
    ec2.authorize_security_group_ingress(GroupId=database, IpPermissions=[_to(functions)])
    rds.create_db_subnet_group(
        DBSubnetGroupName="private", DBSubnetGroupDescription="private",
        SubnetIds=[subnets["database-a"], subnets["database-b"]],
    )  # fmt: skip
    rds.create_db_cluster(
        DBClusterIdentifier="orders", Engine="aurora-postgresql", MasterUsername="orders_admin",
        MasterUserPassword="a pass'word 1", VpcSecurityGroupIds=[database], DBSubnetGroupName="private",
    )  # fmt: skip
    role = client(layout, "iam", REGION).create_role(RoleName="f", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1\n")
    client(layout, "lambda", REGION).create_function(
        FunctionName="orders", Runtime="python3.11", Role=role, Handler="app.handler",
        Code={"ZipFile": code.getvalue()}, Environment={"Variables": {"DB_WRITER_HOST": "x"}},
        VpcConfig={"SubnetIds": [subnets["functions"]], "SecurityGroupIds": [functions]},
    )  # fmt: skip
    private_acl = _acl(ec2, vpc, [subnets["database-a"], subnets["database-b"]])
    public_acl = _acl(ec2, vpc, [subnets["public"]])
    return Ids(vpc, gateway, functions, database, private_acl, public_acl, table)


def _to(group: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": group}]}


def _https() -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def test_links_follow_the_api(control_plane: RunLayout) -> None:
    """Each rule of the architecture, taken away and given back by its own API call, closes and opens its own links."""
    layout = control_plane
    region = layout.region(REGION)
    links = {
        "writer": Link("writer", region.writer, region.node),
        "reader": Link("reader", region.reader, region.node),
        "egress": Link("egress", region.egress, region.aws),
        "edge": Link("edge", region.edge, region.gateway),
    }

    def opens() -> set[str]:
        return {name for name, link in links.items() if all(p.opens and p.stateless for p in link.source_reachability)}

    def established() -> set[str]:
        return {
            name for name, link in links.items() if all(p.keeps(tracked=p.tracked) for p in link.source_reachability)
        }

    async def scene() -> None:
        ids = await asyncio.to_thread(_provision, layout)
        ec2 = client(layout, "ec2", REGION)
        policy = NetworkPolicy(layout, REGION, links)
        reconciling = asyncio.create_task(run_reconcilers(layout, policy))
        everything = set(links)
        late: list[tuple[str, float]] = []

        async def effect(what: str, operation: Callable[[], Any], new: set[str], old: set[str]) -> None:
            await asyncio.to_thread(operation)
            returned = time.monotonic()

            async def so() -> bool:
                return opens() == new and established() == old

            await await_until(
                so, what=f"{what} to leave {new} (now {opens()}, {established()})", timeout_s=3, every_s=0.005
            )
            late.append((what, time.monotonic() - returned))

        async def there_and_back(
            what: str, take: Callable[[], Any], give: Callable[[], Any], new: set[str], old: set[str]
        ) -> None:
            await effect(what, take, new, old)
            await effect(f"{what}, healed", give, everything, everything)

        def deny(acl: str, number: int, egress: bool, port: int) -> Callable[[], Any]:
            return lambda: ec2.create_network_acl_entry(
                NetworkAclId=acl, RuleNumber=number, Protocol="6", RuleAction="deny", Egress=egress,
                CidrBlock="0.0.0.0/0", PortRange={"From": port, "To": port},
            )  # fmt: skip

        def undeny(acl: str, number: int, egress: bool) -> Callable[[], Any]:
            return lambda: ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=number, Egress=egress)

        route = {"RouteTableId": ids.public_table, "DestinationCidrBlock": "0.0.0.0/0"}
        try:
            await effect("provisioning", lambda: None, everything, everything)
            await there_and_back(
                "database ingress revoked",
                lambda: ec2.revoke_security_group_ingress(
                    GroupId=ids.database_group, IpPermissions=[_to(ids.function_group)]
                ),
                lambda: ec2.authorize_security_group_ingress(
                    GroupId=ids.database_group, IpPermissions=[_to(ids.function_group)]
                ),
                {"egress", "edge"},
                everything,
            )
            await there_and_back(
                "function egress to AWS revoked",
                lambda: ec2.revoke_security_group_egress(GroupId=ids.function_group, IpPermissions=[_https()]),
                lambda: ec2.authorize_security_group_egress(GroupId=ids.function_group, IpPermissions=[_https()]),
                {"writer", "reader", "edge"},
                everything,
            )
            await there_and_back(
                "private ACL denies 5432",
                deny(ids.private_acl, 50, False, 5432),
                undeny(ids.private_acl, 50, False),
                {"egress", "edge"},
                {"egress", "edge"},
            )
            await there_and_back(
                "private ACL denies an answer's port",
                deny(ids.private_acl, 51, True, 40000),
                undeny(ids.private_acl, 51, True),
                {"egress", "edge"},
                {"egress", "edge"},
            )
            await there_and_back(
                "public ACL denies https",
                deny(ids.public_acl, 50, False, 443),
                undeny(ids.public_acl, 50, False),
                {"writer", "reader", "egress"},
                {"writer", "reader", "egress"},
            )
            await there_and_back(
                "route to the internet deleted",
                lambda: ec2.delete_route(**route),
                lambda: ec2.create_route(**route, GatewayId=ids.gateway),
                {"writer", "reader"},
                {"writer", "reader"},
            )
            await there_and_back(
                "internet gateway detached",
                lambda: ec2.detach_internet_gateway(InternetGatewayId=ids.gateway, VpcId=ids.vpc),
                lambda: ec2.attach_internet_gateway(InternetGatewayId=ids.gateway, VpcId=ids.vpc),
                {"writer", "reader"},
                {"writer", "reader"},
            )
        finally:
            reconciling.cancel()
            await asyncio.gather(reconciling, return_exceptions=True)
        times = sorted(seconds for _what, seconds in late[1:])
        assert times[len(times) // 2] < EFFECT_LIMIT_S, late

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("denied", "ports", "admitted"),
    [
        (None, (443, 443), True),
        ((443, 443), (443, 443), False),
        ((443, 443), (80, 80), True),
        ((40000, 40000), EPHEMERAL, False),
        ((1024, 32767), EPHEMERAL, True),
    ],
)
def test_lowest_matching_acl_rule_decides_for_every_port(
    denied: tuple[int, int] | None, ports: tuple[int, int], admitted: bool
) -> None:
    """A deny before the allow counts where it touches any of the ports asked for; after it, it does not count."""
    entries: list[dict[str, Any]] = [
        {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "0.0.0.0/0"},
        {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": False, "CidrBlock": "0.0.0.0/0"},
    ]
    if denied is not None:
        entries.append(
            {
                "RuleNumber": 50, "Protocol": "6", "RuleAction": "deny", "Egress": False, "CidrBlock": "0.0.0.0/0",
                "PortRange": {"From": denied[0], "To": denied[1]},
            }
        )  # fmt: skip
    assert acl_admits(acl_of({"Entries": entries}), egress=False, ports=ports, peer=ANYWHERE) is admitted
    assert not acl_admits(acl_of({"Entries": entries}), egress=True, ports=ports, peer=ANYWHERE)


def test_only_groups_open_to_all_are_untracked() -> None:
    """Connections are untracked where all traffic is allowed in and out, and tracked otherwise."""
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    assert group_of({"IpPermissions": everything, "IpPermissionsEgress": everything}).untracked
    assert not group_of({"IpPermissions": [_to("sg-1")], "IpPermissionsEgress": everything}).untracked
    rule = group_of({"IpPermissions": [_to("sg-1")]}).ingress[0]
    assert rule.admits(5432, Network("10.0.0.0/24"), frozenset({"sg-1"}))
    assert not rule.admits(5432, Network("10.0.0.0/24"), frozenset({"sg-2"}))
    assert not rule.admits(5433, Network("10.0.0.0/24"), frozenset({"sg-1"}))
