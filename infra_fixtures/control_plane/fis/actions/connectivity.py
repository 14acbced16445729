"""aws:network:disrupt-connectivity: each target subnet gets a clone of its network ACL that denies what the scope names.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#disrupt-connectivity. The clone is tagged
managedByFIS=true and has the experiment's id in its name; healing gives the subnet the ACL that it had and deletes the clone.
Where the subnet has another ACL by then, somebody changed it meanwhile: that is left alone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra_fixtures.control_plane.fis.actions.action import (
    DURATION,
    Acting,
    Action,
    ActionFailed,
    Parameter,
    Resource,
    unless_gone,
)

ALL, ZONE, VPC, PREFIX_LIST = "all", "availability-zone", "vpc", "prefix-list"
SERVICES = ("dynamodb", "s3")
SCOPES = (ALL, ZONE, *SERVICES, PREFIX_LIST, VPC)
LIST = "prefixListIdentifier"
FIRST_DENY, FIRST_COPY = 1, 1000
"""Numbers of the entries of a clone: denials come before all that the original says, which keeps its order."""
LAST = 32767
"""The number of the entry that denies everything else: https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html."""
ANY = ipaddress.IPv4Network("0.0.0.0/0")
GONE = ("InvalidNetworkAclID.NotFound",)

Network = ipaddress.IPv4Network
Entry = Mapping[str, Any]


async def _disrupt(acting: Acting) -> None:
    for subnet in acting.targets["Subnets"]:
        await _isolate(acting, subnet)
    await acting.hold()


async def _isolate(acting: Acting, subnet: Resource) -> None:
    ec2 = acting.caller
    vpc = await ec2.do("ec2", "describe_vpcs", VpcIds=[subnet.said["VpcId"]])
    blocks = [Network(vpc["Vpcs"][0]["CidrBlock"])]
    original, _ = await _association(acting, subnet.name)
    entries = [*_copied(original["Entries"], acting.parameters["scope"], blocks)]
    entries += _denials(await _denied(acting, subnet))
    name = f"{acting.caller.subject}/{subnet.name}"
    acting.put_back(_delete, acting, name)
    made = await ec2.do(
        "ec2",
        "create_network_acl",
        VpcId=subnet.said["VpcId"],
        TagSpecifications=[
            {
                "ResourceType": "network-acl",
                "Tags": [{"Key": "managedByFIS", "Value": "true"}, {"Key": "Name", "Value": name}],
            }
        ],
    )
    clone = made["NetworkAcl"]["NetworkAclId"]
    for entry in entries:
        await ec2.do("ec2", "create_network_acl_entry", NetworkAclId=clone, **entry)
    acting.put_back(_give_back, acting, subnet.name, clone, original["NetworkAclId"])
    _, association = await _association(acting, subnet.name)
    await ec2.do("ec2", "replace_network_acl_association", AssociationId=association, NetworkAclId=clone)


async def _give_back(acting: Acting, subnet: str, clone: str, original: str) -> None:
    acl, association = await _association(acting, subnet)
    if acl["NetworkAclId"] == clone:
        await acting.caller.do(
            "ec2", "replace_network_acl_association", AssociationId=association, NetworkAclId=original
        )


async def _delete(acting: Acting, name: str) -> None:
    found = await acting.caller.do("ec2", "describe_network_acls", Filters=[{"Name": "tag:Name", "Values": [name]}])
    for acl in found["NetworkAcls"]:
        await unless_gone(GONE, acting.caller.do("ec2", "delete_network_acl", NetworkAclId=acl["NetworkAclId"]))


async def _association(acting: Acting, subnet: str) -> tuple[Entry, str]:
    """The ACL of a subnet, and the id of their association."""
    asked = [{"Name": "association.subnet-id", "Values": [subnet]}]
    found = await acting.caller.do("ec2", "describe_network_acls", Filters=asked)
    for acl in found["NetworkAcls"]:
        for association in acl["Associations"]:
            if association["SubnetId"] == subnet:
                return acl, str(association["NetworkAclAssociationId"])
    raise ActionFailed(f"Subnet {subnet} has no network ACL.")


async def _denied(acting: Acting, subnet: Resource) -> list[Network]:
    """Whom the scope cuts off by name."""
    scope = acting.parameters["scope"]
    if scope == ALL:
        return [ANY]
    if scope == ZONE:
        asked = [{"Name": "vpc-id", "Values": [subnet.said["VpcId"]]}]
        others = await acting.caller.do("ec2", "describe_subnets", Filters=asked)
        zone = subnet.said["AvailabilityZone"]
        return [Network(s["CidrBlock"]) for s in others["Subnets"] if s["AvailabilityZone"] != zone]
    if scope in SERVICES:
        return await _listed(acting, f"com.amazonaws.{acting.caller.region}.{scope}")
    if scope == PREFIX_LIST:
        return await _listed(acting, acting.parameters.get(LIST, ""))
    return []


async def _listed(acting: Acting, identifier: str) -> list[Network]:
    """The IPv4 addresses of a prefix list, given by its id, ARN or name."""
    wanted = identifier.rpartition("/")[2]
    for known in (await acting.caller.do("ec2", "describe_managed_prefix_lists"))["PrefixLists"]:
        if wanted in (known["PrefixListId"], known.get("PrefixListName")):
            said = await acting.caller.do("ec2", "get_managed_prefix_list_entries", PrefixListId=known["PrefixListId"])
            return [Network(e["Cidr"]) for e in said["Entries"] if ":" not in e["Cidr"]]
    raise ActionFailed(f"There is no prefix list {identifier or '(prefixListIdentifier is not given)'}.")


def _copied(entries: Iterable[Entry], scope: str, vpc: Iterable[Network]) -> Iterator[dict[str, Any]]:
    """The original's entries under new numbers; for the scope `vpc` cut down to the VPC's own addresses."""
    counts = {True: 0, False: 0}
    for entry in sorted(entries, key=lambda e: e["RuleNumber"]):
        if entry["RuleNumber"] == LAST or "CidrBlock" not in entry:
            continue
        peer = Network(entry["CidrBlock"])
        peers = [peer] if scope != VPC else [b if b.subnet_of(peer) else peer for b in vpc if b.overlaps(peer)]
        for cut in peers:
            number = FIRST_COPY + counts[entry["Egress"]]
            counts[entry["Egress"]] += 1
            kept = {
                k: entry[k] for k in ("Protocol", "RuleAction", "Egress", "PortRange", "IcmpTypeCode") if k in entry
            }
            yield {**kept, "RuleNumber": number, "CidrBlock": str(cut)}


def _denials(peers: Iterable[Network]) -> Iterator[dict[str, Any]]:
    for number, peer in enumerate(peers, FIRST_DENY):
        for egress in (False, True):
            yield {
                "RuleNumber": number,
                "Protocol": "-1",
                "RuleAction": "deny",
                "Egress": egress,
                "CidrBlock": str(peer),
            }


ACTIONS = (
    Action(
        "aws:network:disrupt-connectivity",
        "Deny the specified traffic to the target subnets.",
        _disrupt,
        {
            "duration": DURATION,
            "scope": Parameter("The type of traffic to deny.", required=True, values=SCOPES),
            LIST: Parameter("The customer managed prefix list, where the scope is prefix-list."),
        },
        ("Subnets", "aws:ec2:subnet"),
    ),
)
