"""aws:network:disrupt-vpc-endpoint: an interface endpoint gets a security group without rules in place of its own.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#disrupt-vpc-endpoint. An endpoint that somebody
modifies meanwhile fails the action and is not restored.
"""

from __future__ import annotations

from infra_fixtures.control_plane.fis.actions.action import (
    DURATION,
    Acting,
    Action,
    ActionFailed,
    Resource,
    unless_gone,
)

INTERFACE = "Interface"


async def _disrupt(acting: Acting) -> None:
    for endpoint in acting.targets["VPCEndpoints"]:
        if endpoint.said.get("VpcEndpointType") != INTERFACE:
            raise ActionFailed(f"{endpoint.arn} is no interface endpoint.")
        await _close(acting, endpoint)
    await acting.hold()


async def _close(acting: Acting, endpoint: Resource) -> None:
    own = await _groups(acting, endpoint.name)
    name = f"{acting.caller.subject.replace('/', '-')}-{endpoint.name}"
    acting.put_back(_delete, acting, name)
    made = await acting.caller.do(
        "ec2",
        "create_security_group",
        GroupName=name,
        Description="Managed by AWS FIS",
        VpcId=endpoint.said["VpcId"],
        TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "managedByFIS", "Value": "true"}]}],
    )
    closed = made["GroupId"]
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    await acting.caller.do("ec2", "revoke_security_group_egress", GroupId=closed, IpPermissions=everything)
    acting.put_back(_give_back, acting, endpoint.name, closed, own)
    await _replace(acting, endpoint.name, {closed}, own)


async def _give_back(acting: Acting, endpoint: str, closed: str, own: set[str]) -> None:
    now = await _groups(acting, endpoint)
    if now == own:
        return
    if now != {closed}:
        raise ActionFailed(f"{endpoint} was modified meanwhile and is not restored: it had {', '.join(sorted(own))}.")
    await _replace(acting, endpoint, own, {closed})


async def _replace(acting: Acting, endpoint: str, added: set[str], removed: set[str]) -> None:
    await acting.caller.do(
        "ec2",
        "modify_vpc_endpoint",
        VpcEndpointId=endpoint,
        AddSecurityGroupIds=sorted(added),
        RemoveSecurityGroupIds=sorted(removed),
    )


async def _delete(acting: Acting, name: str) -> None:
    found = await acting.caller.do(
        "ec2", "describe_security_groups", Filters=[{"Name": "group-name", "Values": [name]}]
    )
    for group in found["SecurityGroups"]:
        await unless_gone(
            ("InvalidGroup.NotFound",), acting.caller.do("ec2", "delete_security_group", GroupId=group["GroupId"])
        )


async def _groups(acting: Acting, endpoint: str) -> set[str]:
    said = await acting.caller.do("ec2", "describe_vpc_endpoints", VpcEndpointIds=[endpoint])
    return {str(g["GroupId"]) for g in said["VpcEndpoints"][0].get("Groups", ())}


ACTIONS = (
    Action(
        "aws:network:disrupt-vpc-endpoint",
        "Block traffic to and from the target interface VPC endpoints.",
        _disrupt,
        {"duration": DURATION},
        ("VPCEndpoints", "aws:ec2:vpc-endpoint"),
    ),
)
