"""What the EC2, Lambda and RDS APIs say of one region's network, read anew only where a change may have touched it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra_fixtures.data_plane.network.rules import Network, SecurityGroup, Subnet, acl_of, default_route_of, group_of
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.run_layout import RunLayout

PREFIXED = ("s3", "dynamodb")
DATABASE_VARIABLE = "DB_WRITER_HOST"
"""Functions with this environment variable are those that the database links serve."""

_TOUCHED_BY = {
    "SecurityGroup": "groups",
    "NetworkAcl": "acls",
    "Route": "routes",
    "Subnet": "subnets",
    "InternetGateway": "gateways",
    "VpcEndpoint": "endpoints",
    "Tags": "subnets",
}
_EC2 = frozenset(_TOUCHED_BY.values())
_PLACING = frozenset({"CreateFunction", "UpdateFunctionConfiguration", "DeleteFunction"})
"""What may put a function into a VPC or take it out."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where something sits in the VPC: its security groups and subnets."""

    groups: frozenset[str]
    subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InterfaceEndpoint:
    """An interface endpoint with private DNS: all of its VPC reaches the service (its signing name) through it."""

    service: str
    vpc: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vpc:
    """A region's network as far as links need it; `functions` or `database` None: not in a VPC, or not there."""

    functions: Placement | None
    database: Placement | None
    groups: Mapping[str, SecurityGroup]
    subnets: Mapping[str, Subnet]
    endpoints: frozenset[str]
    """VPCs that have a service endpoint."""
    interfaces: tuple[InterfaceEndpoint, ...] = ()
    """The interface endpoints that stand for a service's name in their VPC."""
    prefixes: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    """The addresses of the services that have an AWS-managed prefix list, by signing name."""


class VpcReader:
    """Keeps the last answer to each question; `mark` says which are stale."""

    def __init__(self, layout: RunLayout, region: str) -> None:
        self._layout = layout
        self._region = region
        self._stale: set[str] = {"functions", "database", "prefixes", *_EC2}
        self._answers: dict[str, Any] = {}

    def mark(self, changes: Iterable[Change]) -> None:
        """Note what changes touched; without changes (start, slow poll) everything."""
        told = list(changes)
        if not told:
            self._stale |= {"functions", "database", *_EC2}
        for change in told:
            if change.region != self._region or change.action.startswith("_"):
                continue
            if change.service == "lambda":
                self._stale |= {"functions"} if change.action in _PLACING else set()
            elif change.service == "rds":
                self._stale.add("database")
            else:
                self._stale |= {kind for word, kind in _TOUCHED_BY.items() if word in change.action}

    async def read(self) -> Vpc:
        """The network now. While no function is in a VPC nothing of EC2 is read: there is nothing to judge."""
        await self._refresh({"functions": self._functions, "database": self._database})
        functions: Placement | None = self._answers["functions"]
        if functions is None:
            return Vpc(None, None, {}, {}, frozenset())
        ec2 = await call(client, self._layout, "ec2", self._region)
        await self._refresh(
            {
                "groups": lambda: ec2.describe_security_groups()["SecurityGroups"],
                "acls": lambda: ec2.describe_network_acls()["NetworkAcls"],
                "routes": lambda: ec2.describe_route_tables()["RouteTables"],
                "subnets": lambda: ec2.describe_subnets()["Subnets"],
                "gateways": lambda: ec2.describe_internet_gateways()["InternetGateways"],
                "endpoints": lambda: ec2.describe_vpc_endpoints()["VpcEndpoints"],
                "prefixes": self._prefixes,
            }
        )
        endpoints = [e for e in self._answers["endpoints"] if e.get("State", "available").lower() == "available"]
        return Vpc(
            functions,
            self._answers["database"],
            {g["GroupId"]: group_of(g) for g in self._answers["groups"]},
            self._subnets(),
            frozenset(e["VpcId"] for e in endpoints),
            tuple(
                InterfaceEndpoint(
                    str(e["ServiceName"]).rpartition(".")[2],
                    e["VpcId"],
                    tuple(g["GroupId"] for g in e.get("Groups", ())),
                )
                for e in endpoints
                if e.get("VpcEndpointType") == "Interface" and e.get("PrivateDnsEnabled")
            ),
            self._answers["prefixes"],
        )

    async def _refresh(self, questions: Mapping[str, Callable[[], Any]]) -> None:
        stale = [kind for kind in questions if kind in self._stale]
        self._stale -= set(stale)
        try:
            answers = await asyncio.gather(*(call(questions[kind]) for kind in stale))
        except BaseException:
            self._stale |= set(stale)
            raise
        self._answers.update(zip(stale, answers, strict=True))

    def _functions(self) -> Placement | None:
        """Where the functions sit; those that use the database count, if there are any."""
        described = client(self._layout, "lambda", self._region).list_functions()["Functions"]
        inside = [f for f in described if (f.get("VpcConfig") or {}).get("SubnetIds")]
        users = [f for f in inside if DATABASE_VARIABLE in (f.get("Environment") or {}).get("Variables", {})]
        chosen = users or inside
        if not chosen:
            return None
        return Placement(
            frozenset(g for f in chosen for g in f["VpcConfig"].get("SecurityGroupIds", [])),
            tuple(sorted({s for f in chosen for s in f["VpcConfig"]["SubnetIds"]})),
        )

    def _database(self) -> Placement | None:
        """The cluster's security groups and the subnets of its group, its instance's own zone first."""
        rds = client(self._layout, "rds", self._region)
        clusters = rds.describe_db_clusters()["DBClusters"]
        if not clusters:
            return None
        cluster = clusters[0]
        groups = frozenset(g["VpcSecurityGroupId"] for g in cluster.get("VpcSecurityGroups", []))
        subnets: list[Mapping[str, Any]] = []
        if cluster.get("DBSubnetGroup"):
            desired = cluster["DBSubnetGroup"]
            for group in rds.describe_db_subnet_groups()["DBSubnetGroups"]:
                if group["DBSubnetGroupName"] == desired:
                    subnets = group["Subnets"]
        instances = rds.describe_db_instances()["DBInstances"]
        zones = {
            i.get("AvailabilityZone")
            for i in instances
            if i.get("DBClusterIdentifier") == cluster["DBClusterIdentifier"]
        }
        ranked = sorted(
            subnets, key=lambda s: (s.get("SubnetAvailabilityZone", {}).get("Name") not in zones, s["SubnetIdentifier"])
        )
        return Placement(groups, tuple(s["SubnetIdentifier"] for s in ranked))

    def _prefixes(self) -> dict[str, tuple[Network, ...]]:
        """AWS's own lists of S3's and DynamoDB's addresses in the region; they do not change while a run lasts."""
        ec2 = client(self._layout, "ec2", self._region)
        names = {f"com.amazonaws.{self._region}.{service}": service for service in PREFIXED}
        found: dict[str, tuple[Network, ...]] = {}
        with contextlib.suppress(ClientError):  # an emulator need not have them
            for known in ec2.describe_managed_prefix_lists()["PrefixLists"]:
                if known.get("PrefixListName") in names:
                    entries = ec2.get_managed_prefix_list_entries(PrefixListId=known["PrefixListId"])["Entries"]
                    found[names[known["PrefixListName"]]] = tuple(Network(e["Cidr"]) for e in entries)
        return found

    def _subnets(self) -> dict[str, Subnet]:
        attached = frozenset(
            g["InternetGatewayId"]
            for g in self._answers["gateways"]
            if any(a.get("State", "available") in ("available", "attached") for a in g.get("Attachments", []))
        )
        acls = {a["SubnetId"]: n for n in self._answers["acls"] for a in n.get("Associations", []) if a.get("SubnetId")}
        tables = {
            a["SubnetId"]: t for t in self._answers["routes"] for a in t.get("Associations", []) if a.get("SubnetId")
        }
        main_acls = {n["VpcId"]: n for n in self._answers["acls"] if n.get("IsDefault")}
        main_tables = {
            t["VpcId"]: t for t in self._answers["routes"] if any(a.get("Main") for a in t.get("Associations", []))
        }
        found = {}
        for s in self._answers["subnets"]:
            identity, vpc = s["SubnetId"], s["VpcId"]
            tags = {t["Key"]: t["Value"] for t in s.get("Tags", [])}
            acl = acls.get(identity, main_acls.get(vpc, {}))
            table = tables.get(identity, main_tables.get(vpc, {}))
            found[identity] = Subnet(
                identity, s.get("AvailabilityZone", ""), tags.get("Name", ""), Network(s["CidrBlock"]), vpc,
                acl_of(acl), default_route_of(table, attached),
            )  # fmt: skip
        return found
