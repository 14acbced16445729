"""Private subnets behind an ACL that denies everything: nothing passes, and each subnet gets back the ACL it had."""

from __future__ import annotations

from typing import Any

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.safety.journal import Learned
from tests.real_world import System


def test_isolated_subnets_reach_nothing_until_they_have_their_acls_back(system: System) -> None:
    """No way leads out of a subnet while it stands; afterwards each has its own ACL, and the one that was made is gone.

    A function in the database's own subnet reaches it all the same: an ACL stands at a subnet's border alone. So orders
    may go on, and what the links carry is looked at.
    """
    world = system.world
    before, there = _acls(system), _names(system)
    with injected(world, SubnetsIsolated()):
        assert isinstance(world.journal.lines()[-1], Learned), "the new ACL's id is known only after it was made"
        assert len(set(_acls(system).values()) - set(before.values())) == 1
        wait_until(lambda: not any(_passes(system, "egress")), what="no subnet to reach AWS", timeout_s=20)
        wait_until(lambda: not all(_passes(system, "writer")), what="another subnet's database to be out", timeout_s=20)
        assert system.standby.web.status("/health") == 200
    assert world.journal.open_entries() == []
    assert _acls(system) == before
    assert _names(system) == there
    wait_until(lambda: all([*_passes(system, "egress"), *_passes(system, "writer")]), what="all to pass", timeout_s=20)
    wait_until(lambda: not system.primary.refusal(), what="orders to be taken again", timeout_s=10)


def _passes(system: System, link: str) -> list[bool]:
    """Whether packets pass, by the subnet that they come from."""
    return [bool(source["stateless"]) for source in system.link_state(link)["admits"]]


def _acls(system: System) -> dict[str, str]:
    """The ACL of each private subnet."""
    subnets = set(system.world.deployed.regions[system.world.primary].private_subnets)
    pairs = [(a["SubnetId"], a["NetworkAclId"]) for acl in _described(system) for a in acl["Associations"]]
    return {subnet: acl for subnet, acl in pairs if subnet in subnets}


def _names(system: System) -> set[str]:
    return {acl["NetworkAclId"] for acl in _described(system)}


def _described(system: System) -> Any:
    return system.world.client("ec2", system.world.primary).describe_network_acls()["NetworkAcls"]
