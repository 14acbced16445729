"""EC2's resources have no names: those of a run are found by their tag, and what is missing is made with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra_fixtures.provision.naming import PART_TAG, RUN_TAG, Names

KINDS = (
    ("describe_vpcs", "Vpcs", "VpcId"),
    ("describe_subnets", "Subnets", "SubnetId"),
    ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("describe_route_tables", "RouteTables", "RouteTableId"),
    ("describe_network_acls", "NetworkAcls", "NetworkAclId"),
    ("describe_security_groups", "SecurityGroups", "GroupId"),
    ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
)
"""How each kind that a network is made of is listed: operation, where the list is, and what an id is called."""
GONE = frozenset({"deleting", "deleted"})


def find_parts(ec2: Any, names: Names) -> dict[str, str]:
    """The ids of everything of the run that EC2 holds in this region, by part."""
    ours = [{"Name": f"tag:{RUN_TAG}", "Values": [names.run_id]}]
    found: dict[str, str] = {}
    for call, listed, identity in KINDS:
        for resource in getattr(ec2, call)(Filters=ours)[listed]:
            tags = {t["Key"]: t["Value"] for t in resource.get("Tags", ())}
            part = tags.get(PART_TAG, "")
            # a deleted endpoint is still described for a while
            if part and resource.get("State") not in GONE:
                found[part] = str(resource[identity])
    return found


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one VPC; `found` is what the run has in this region already."""

    ec2: Any
    names: Names
    vpc_id: str
    found: Mapping[str, str]

    def make(
        self, kind: str, part: str, call: Callable[..., Any], read: Callable[[Any], str], **parameters: Any
    ) -> tuple[str, bool]:
        """(id, whether it was made just now): the part, or what `call` makes; `read` takes the id out of its answer."""
        if part in self.found:
            return self.found[part], False
        answer = call(**parameters, TagSpecifications=self.names.tagged(kind, part))
        return read(answer), True
