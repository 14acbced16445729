"""The database's security group no longer admits the functions: a rule revoked by mistake, the commonest of outages.

Connections that are open live on, since security groups track them; new ones time out
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.safety.undo import AwsCall, Learn
from infra_fixtures.targets.parts import NetworkPart, part_of
from infra_fixtures.targets.world import World

PEERS = ("UserIdGroupPairs", "IpRanges", "Ipv6Ranges", "PrefixListIds")
ADMITTED_OR_GONE = ("InvalidPermission.Duplicate", "InvalidGroup.NotFound")


class SecurityGroupRevoked(Fault, frozen=True):
    """Revoke every ingress rule of the database's security group in `region`; healing authorizes the same ones again."""

    not_in_fis: ClassVar[str] = "none changes the rules of a security group"
    parts: ClassVar[tuple[type, ...]] = (NetworkPart,)
    region: str = PRIMARY

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The group's rules."""
        return (Harmed(self.region, "security group of the database"),)

    def prepare(self, world: World) -> Injection:
        """Read the rules that the group has now."""
        region = region_of(world, self.region)
        group = part_of(world, NetworkPart).networks[region].database_group_id
        ec2 = world.client("ec2", region)
        rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]

        def act(_learn: Learn) -> None:
            ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)

        undo = [
            AwsCall(
                "ec2",
                region,
                "authorize_security_group_ingress",
                {"GroupId": group, "IpPermissions": [one]},
                settled_by=ADMITTED_OR_GONE,
            )
            for rule in rules
            for one in _for_each_peer(rule)
        ]
        return Injection(f"{region}/{group}", undo, act)


def _for_each_peer(rule: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One that is there already is refused together with all that is asked for in the same call."""
    ports = {name: value for name, value in rule.items() if name not in PEERS}
    for kind in PEERS:
        for peer in rule.get(kind, ()):
            yield {**ports, kind: [peer]}
