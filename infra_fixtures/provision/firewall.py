"""Who may talk to whom in a VPC: network ACLs (stateless) and security groups, exactly as the topology says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.provision.parts import Parts
from infra_fixtures.topology import NetworkAcl, Rule, SecurityGroup


def network_acl(parts: Parts, acl: NetworkAcl, subnets: tuple[str, ...]) -> str:
    """An ACL with its entries, in force in these subnets; its id."""
    ec2 = parts.ec2
    made, fresh = parts.make(
        "network-acl", f"acl-{acl.name}", ec2.create_network_acl, lambda a: str(a["NetworkAcl"]["NetworkAclId"]),
        VpcId=parts.vpc_id,
    )  # fmt: skip
    existing: set[tuple[int, bool]] = set()
    if not fresh:
        described = ec2.describe_network_acls(NetworkAclIds=[made])["NetworkAcls"][0]
        existing = {(e["RuleNumber"], e["Egress"]) for e in described["Entries"]}
    for entry in acl.entries:
        if (entry.number, entry.egress) not in existing:
            ec2.create_network_acl_entry(
                NetworkAclId=made, RuleNumber=entry.number, Egress=entry.egress, Protocol="6", RuleAction="allow",
                CidrBlock=entry.cidr, PortRange={"From": entry.ports[0], "To": entry.ports[1]},
            )  # fmt: skip
    present = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": list(subnets)}])
    for other in present["NetworkAcls"]:
        for association in other["Associations"]:
            if association["SubnetId"] in subnets and association["NetworkAclId"] != made:
                ec2.replace_network_acl_association(
                    AssociationId=association["NetworkAclAssociationId"], NetworkAclId=made
                )
    return made


def security_group(parts: Parts, group: SecurityGroup) -> str:
    """A group, its rules not yet set: they may name groups that come later. Its id."""
    return parts.make(
        "security-group", f"group-{group.name}", parts.ec2.create_security_group, lambda a: str(a["GroupId"]),
        GroupName=parts.names.of(group.name), Description=group.description, VpcId=parts.vpc_id,
    )[0]  # fmt: skip


def set_rules(ec2: Any, group: SecurityGroup, groups: Mapping[str, str]) -> None:
    """Bring a group's rules to the plan: what is missing is added, what is not planned revoked."""
    described = ec2.describe_security_groups(GroupIds=[groups[group.name]])["SecurityGroups"][0]
    for planned, present, add, remove in (
        (group.ingress, "IpPermissions", "authorize_security_group_ingress", "revoke_security_group_ingress"),
        (group.egress, "IpPermissionsEgress", "authorize_security_group_egress", "revoke_security_group_egress"),
    ):
        existing = {_key(p): p for permission in described[present] for p in _single(permission)}
        desired = {_key(p): p for p in (_permission(rule, groups) for rule in planned)}
        extra = [existing[k] for k in existing.keys() - desired.keys()]
        missing = [desired[k] for k in desired.keys() - existing.keys()]
        if extra:
            getattr(ec2, remove)(GroupId=groups[group.name], IpPermissions=extra)
        if missing:
            getattr(ec2, add)(GroupId=groups[group.name], IpPermissions=missing)


def _permission(rule: Rule, groups: Mapping[str, str]) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": "-1"}
    if rule.ports is not None:
        permission = {"IpProtocol": "tcp", "FromPort": rule.ports[0], "ToPort": rule.ports[1]}
    if rule.peer in groups:
        return {**permission, "UserIdGroupPairs": [{"GroupId": groups[rule.peer]}]}
    return {**permission, "IpRanges": [{"CidrIp": rule.peer}]}


def _single(permission: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A described permission as one for each peer."""
    ports = {k: permission[k] for k in ("IpProtocol", "FromPort", "ToPort") if permission.get(k) is not None}
    if ports["IpProtocol"] == "-1":
        ports = {"IpProtocol": "-1"}
    return [
        *({**ports, "UserIdGroupPairs": [{"GroupId": p["GroupId"]}]} for p in permission.get("UserIdGroupPairs", ())),
        *({**ports, "IpRanges": [{"CidrIp": r["CidrIp"]}]} for r in permission.get("IpRanges", ())),
        *({**ports, "Ipv6Ranges": [{"CidrIpv6": r["CidrIpv6"]}]} for r in permission.get("Ipv6Ranges", ())),
    ]


def _key(permission: Mapping[str, Any]) -> str:
    return repr(sorted((k, str(v)) for k, v in permission.items()))


def drop_rules(ec2: Any, group: str) -> None:
    """Take every rule out of a group: groups that name each other cannot be deleted."""
    described = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    for present, remove in (
        ("IpPermissions", ec2.revoke_security_group_ingress),
        ("IpPermissionsEgress", ec2.revoke_security_group_egress),
    ):
        permissions = [p for permission in described[present] for p in _single(permission)]
        if permissions:
            remove(GroupId=group, IpPermissions=permissions)
