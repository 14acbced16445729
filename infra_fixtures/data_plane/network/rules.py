"""How a VPC judges a connection: security groups, network ACLs, routes. Pure: values in, verdict out.

Sources: VPC user guide, "Security group rules", "Network ACL rules", "Ephemeral ports", "Route table concepts".
A rule's CIDR is held to match a subnet when it covers all of it: which host in it a function gets is not modelled.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network

ANYWHERE = Network("0.0.0.0/0")
EPHEMERAL = (32768, 60999)
"""Ports from which Linux (and so Lambda) dials; a stateless ACL must let answers back to all of them."""
_ALL, _TCP = frozenset({"-1"}), frozenset({"tcp", "6"})
_INTERNET_TARGETS = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "InstanceId")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """One permission of a security group, for TCP."""

    low: int
    high: int
    cidrs: tuple[Network, ...]
    groups: frozenset[str]

    def admits(self, port: int, peer: Network, peer_groups: frozenset[str]) -> bool:
        """Whether it lets TCP through to (or from) the peer."""
        if not self.low <= port <= self.high:
            return False
        return bool(self.groups & peer_groups) or any(peer.subnet_of(cidr) for cidr in self.cidrs)

    @property
    def everything(self) -> bool:
        """Whether it is open to all, on every port: connections it admits are not tracked."""
        return self.low <= 0 and self.high >= 65535 and ANYWHERE in self.cidrs


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A group's permissions."""

    ingress: tuple[GroupRule, ...]
    egress: tuple[GroupRule, ...]

    @property
    def untracked(self) -> bool:
        """Whether its connections are untracked: all traffic allowed in and out."""
        return any(r.everything for r in self.ingress) and any(r.everything for r in self.egress)


@dataclass(frozen=True, slots=True)
class AclRule:
    """One entry of a network ACL, for TCP."""

    number: int
    egress: bool
    allow: bool
    low: int
    high: int
    cidr: Network


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet with the ACL entries and the routes that hold in it."""

    id: str
    zone: str
    name: str
    cidr: Network
    vpc: str
    acl: tuple[AclRule, ...]
    default_route: str | None
    """Where its default route leads (igw-..., nat-...); None where there is none, or it leads nowhere."""


def group_of(described: Mapping[str, Any]) -> SecurityGroup:
    """A security group as DescribeSecurityGroups gives it."""
    return SecurityGroup(
        tuple(_permissions(described.get("IpPermissions", []))),
        tuple(_permissions(described.get("IpPermissionsEgress", []))),
    )


def acl_of(described: Mapping[str, Any]) -> tuple[AclRule, ...]:
    """A network ACL's TCP entries in their order."""
    rules = []
    for entry in described.get("Entries", []):
        protocol = str(entry.get("Protocol"))
        if "CidrBlock" not in entry or protocol not in _ALL | _TCP:
            continue
        ports = entry.get("PortRange") or {}
        rules.append(
            AclRule(
                int(entry["RuleNumber"]),
                bool(entry["Egress"]),
                entry["RuleAction"] == "allow",
                0 if protocol in _ALL else int(ports.get("From", 0)),
                65535 if protocol in _ALL else int(ports.get("To", 65535)),
                Network(entry["CidrBlock"]),
            )
        )
    return tuple(sorted(rules, key=lambda r: r.number))


def default_route_of(described: Mapping[str, Any], attached_gateways: frozenset[str]) -> str | None:
    """Where a route table sends what is bound for the internet, if that leads anywhere."""
    for route in described.get("Routes", []):
        if route.get("DestinationCidrBlock") != str(ANYWHERE) or route.get("State", "active") != "active":
            continue
        target = next((str(route[key]) for key in _INTERNET_TARGETS if route.get(key)), None)
        if target is None or (target.startswith("igw-") and target not in attached_gateways):
            return None
        return target
    return None


def groups_admit(
    groups: Iterable[SecurityGroup], *, egress: bool, port: int, peer: Network, peer_groups: frozenset[str]
) -> bool:
    """Whether any rule of any of the groups lets TCP through."""
    return any(
        rule.admits(port, peer, peer_groups) for group in groups for rule in (group.egress if egress else group.ingress)
    )


def acl_admits(acl: Sequence[AclRule], *, egress: bool, ports: tuple[int, int], peer: Network) -> bool:
    """Whether an ACL lets TCP to every port of a range through; the lowest-numbered entry that matches decides."""
    rules = [r for r in acl if r.egress == egress and peer.subnet_of(r.cidr)]
    edges = {ports[0], ports[1], *(p for r in rules for p in (r.low, r.high, r.low - 1, r.high + 1))}
    return all(_decided(rules, port) for port in edges if ports[0] <= port <= ports[1])


def acls_admit(source: Subnet, target: Subnet, port: int) -> bool:
    """Whether packets pass between two subnets both ways; within one subnet no ACL is asked."""
    if source.id == target.id:
        return True
    return (
        acl_admits(source.acl, egress=True, ports=(port, port), peer=target.cidr)
        and acl_admits(target.acl, egress=False, ports=(port, port), peer=source.cidr)
        and acl_admits(target.acl, egress=True, ports=EPHEMERAL, peer=source.cidr)
        and acl_admits(source.acl, egress=False, ports=EPHEMERAL, peer=target.cidr)
    )


def _decided(rules: Sequence[AclRule], port: int) -> bool:
    for rule in rules:
        if rule.low <= port <= rule.high:
            return rule.allow
    return False


def _permissions(described: Iterable[Mapping[str, Any]]) -> Iterable[GroupRule]:
    for permission in described:
        protocol = str(permission.get("IpProtocol"))
        if protocol not in _ALL | _TCP:
            continue
        everything = protocol in _ALL or permission.get("FromPort", -1) in (-1, None)
        yield GroupRule(
            0 if everything else int(permission["FromPort"]),
            65535 if everything else int(permission["ToPort"]),
            tuple(Network(r["CidrIp"]) for r in permission.get("IpRanges", [])),
            frozenset(pair["GroupId"] for pair in permission.get("UserIdGroupPairs", []) if "GroupId" in pair),
        )
