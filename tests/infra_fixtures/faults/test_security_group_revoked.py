"""A security group without its rule: new connections to the database time out, open ones live on."""

from __future__ import annotations

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from tests.real_world import System


def test_new_connections_are_shut_out_until_the_rule_is_back(system: System) -> None:
    """The group has no rule while it stands, and the very rules it had afterwards; a new worker finds its database."""
    world = system.world
    before = _rules(system)
    assert before
    with injected(world, SecurityGroupRevoked()):
        assert _rules(system) == []
        wait_until(lambda: _open_connections(system) is False, what="the link to admit nobody new", timeout_s=5)
    assert world.journal.open_entries() == []
    assert _rules(system) == before
    wait_until(lambda: _open_connections(system) is True, what="the link to admit again", timeout_s=5)
    assert not system.primary.refusal()


def test_a_rule_that_came_back_by_itself_is_healed(system: System) -> None:
    """Somebody authorized it again while the fault stood: that is as it should be."""
    world = system.world
    before = _rules(system)
    with injected(world, SecurityGroupRevoked()):
        ec2 = world.client("ec2", world.primary)
        ec2.authorize_security_group_ingress(GroupId=_group(system), IpPermissions=before)
    assert world.journal.open_entries() == []
    assert _rules(system) == before


def test_a_rule_that_came_back_in_part_is_healed_whole(system: System) -> None:
    """A second peer has the same ports; somebody authorized one of the two again: the other comes back too."""
    world = system.world
    ec2, group = world.client("ec2", world.primary), _group(system)
    more = [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.1.2.0/24"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=more)
    try:
        before = _rules(system)
        with injected(world, SecurityGroupRevoked()):
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=more)
        assert _rules(system) == before
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=more)


def _group(system: System) -> str:
    return str(system.world.deployed.regions[system.world.primary].database_group_id)


def _rules(system: System) -> list[object]:
    ec2 = system.world.client("ec2", system.world.primary)
    rules: list[object] = ec2.describe_security_groups(GroupIds=[_group(system)])["SecurityGroups"][0]["IpPermissions"]
    return rules


def _open_connections(system: System) -> bool:
    """Whether the rules let a function open a connection to the writer."""
    admits = system.link_state("writer")["admits"]
    return any(passage["opens"] for passage in admits)
