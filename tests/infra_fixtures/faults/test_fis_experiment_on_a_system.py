"""FIS isolates the subnets of a real system: it bites on the wire, and all is as before once it is stopped."""

from __future__ import annotations

import threading
from typing import Any

from drill.wait import wait_until
from infra_fixtures.faults.fis_experiment import FisExperiment
from infra_fixtures.faults.schedule import Schedule, injected_in_turn
from infra_fixtures.fis.template_file import Substitution
from infra_fixtures.run_layout import REPOSITORY
from tests.real_world import System

FAULT = FisExperiment(
    template_file=str(REPOSITORY / "docs/fis/isolated_functions.template.json"),
    substitute=(Substitution("<RUN ID>", "{run_id}"),),
)


def test_an_experiment_isolates_the_subnets_until_it_is_stopped(system: System) -> None:
    """With a role that is allowed just that; afterwards ACLs, templates and roles are those that were there."""
    world, marks = system.world, list[tuple[str, str]]()

    def tell(event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        marks.append((event, f"{subject.rpartition('/')[2]} {detail}"))

    before = _acls(system), _roles(system)
    with injected_in_turn(world, Schedule.of(FAULT), tell, threading.Event()) as effect:
        assert effect.effective_ns > effect.began_ns
        wait_until(lambda: not any(_passes(system, "egress")), what="no subnet to reach AWS", timeout_s=20)
        assert set(_acls(system).values()).isdisjoint(before[0].values())
        assert system.standby.web.status("/health") == 200
        wait_until(lambda: effect.quiet_since() is not None, what="both actions to be seen", timeout_s=10)
    assert (_acls(system), _roles(system)) == before
    fis = world.client("fis", world.primary)
    assert fis.list_experiment_templates()["experimentTemplates"] == []
    assert {e["state"]["status"] for e in fis.list_experiments()["experiments"]} == {"completed", "stopped"}
    assert world.journal.open_entries() == []
    assert [m for m in marks if m[0] == "fault.incomplete"] == []
    assert ("fis.action", "isolate-a stopped aws:network:disrupt-connectivity: Action was stopped.") in marks
    wait_until(lambda: all(_passes(system, "egress")), what="all to pass", timeout_s=20)
    wait_until(lambda: not system.primary.refusal(), what="orders to be taken again", timeout_s=10)


def _passes(system: System, link: str) -> list[bool]:
    """Whether packets pass, by the subnet that they come from."""
    return [bool(source["stateless"]) for source in system.link_state(link)["admits"]]


def _acls(system: System) -> dict[str, str]:
    """The ACL of each private subnet."""
    subnets = set(system.world.deployed.regions[system.world.primary].private_subnets)
    acls: Any = system.world.client("ec2", system.world.primary).describe_network_acls()["NetworkAcls"]
    pairs = [(a["SubnetId"], acl["NetworkAclId"]) for acl in acls for a in acl["Associations"]]
    return {subnet: acl for subnet, acl in pairs if subnet in subnets}


def _roles(system: System) -> list[str]:
    return sorted(role["RoleName"] for role in system.world.client("iam").list_roles()["Roles"])
