"""A region's private subnets get a network ACL that denies everything, as FIS's aws:network:disrupt-connectivity does.

ACLs are stateless, so that open connections stop as well; within a subnet they do not count
(https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html). The id of the new ACL is known only after it was
made, so that it is deleted by its tag; the associations are found by subnet, so that they can be put back although nobody
learnt their new ids.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.fis.written import FisAction, Place
from infra_fixtures.provision.naming import PART_TAG, RUN_TAG
from infra_fixtures.safety.undo import AwsCall, AwsCallForEach, Learn, Undo
from infra_fixtures.targets.parts import NetworkPart, part_of
from infra_fixtures.targets.world import World

GONE = ("InvalidNetworkAclID.NotFound",)
PART = "acl-isolation"


class SubnetsIsolated(Fault, frozen=True):
    """Associate the private subnets of `region` with an ACL without rules; healing gives each the ACL that it had."""

    parts: ClassVar[tuple[type, ...]] = (NetworkPart,)
    region: str = PRIMARY

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The subnets' ACLs."""
        return (Harmed(self.region, "private subnets"),)

    def in_fis(self, place: Place) -> FisAction:
        """FIS clones each subnet's ACL, and the clone denies all."""
        return FisAction(
            "aws:network:disrupt-connectivity",
            place.region(self.region),
            {"scope": "all"},
            ("Subnets", place.tagged("aws:ec2:subnet")),
        )

    def prepare(self, world: World) -> Injection:
        """Read which ACL each subnet has now."""
        region = region_of(world, self.region)
        made = part_of(world, NetworkPart).networks[region]
        ec2 = world.client("ec2", region)
        asked = {"Filters": [{"Name": "association.subnet-id", "Values": list(made.private_subnets)}]}
        before = {
            a["SubnetId"]: a["NetworkAclId"]
            for acl in ec2.describe_network_acls(**asked)["NetworkAcls"]
            for a in acl["Associations"]
            if a["SubnetId"] in made.private_subnets
        }

        part = f"{PART}-{secrets.token_hex(4)}"
        tags = [{"Key": RUN_TAG, "Value": world.run_id}, {"Key": PART_TAG, "Value": part}]

        def act(learn: Learn) -> None:
            acl = ec2.create_network_acl(
                VpcId=made.vpc_id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}]
            )["NetworkAcl"]["NetworkAclId"]
            learn(*(_give_back(region, subnet, old) for subnet, old in before.items()))
            for association in _associations(ec2, asked, set(before)):
                ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)

        # Done last: an ACL that a subnet still has cannot be deleted.
        return Injection(f"{region}/{made.vpc_id}", [_delete(region, part)], act)


def _delete(region: str, part: str) -> Undo:
    """Delete the ACL of that tag, if it came to be made."""
    return AwsCallForEach(
        find=AwsCall(
            "ec2", region, "describe_network_acls", {"Filters": [{"Name": f"tag:{PART_TAG}", "Values": [part]}]}
        ),
        found="NetworkAcls[].{NetworkAclId: NetworkAclId}",
        call=AwsCall("ec2", region, "delete_network_acl", settled_by=GONE),
    )


def _give_back(region: str, subnet: str, acl: str) -> Undo:
    """Associate a subnet with an ACL, whatever its association is called now."""
    return AwsCallForEach(
        find=AwsCall(
            "ec2",
            region,
            "describe_network_acls",
            {"Filters": [{"Name": "association.subnet-id", "Values": [subnet]}]},
        ),
        found=f"NetworkAcls[?NetworkAclId!='{acl}'].Associations[] | [?SubnetId=='{subnet}']"
        ".{AssociationId: NetworkAclAssociationId}",
        call=AwsCall("ec2", region, "replace_network_acl_association", {"NetworkAclId": acl}),
    )


def _associations(ec2: Any, asked: Any, subnets: set[str]) -> list[str]:
    return [
        a["NetworkAclAssociationId"]
        for acl in ec2.describe_network_acls(**asked)["NetworkAcls"]
        for a in acl["Associations"]
        if a["SubnetId"] in subnets
    ]
