"""FIS isolates the subnets of a real system: it bites on the wire, and all is as before once it is stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drill.wait import wait_until
from gameday.fis_templates import written
from gameday.scenario import Scenario
from infra_fixtures.faults.fault import Fault, injected
from infra_fixtures.faults.fis_experiment import FisExperiment
from infra_fixtures.faults.planned_switchover import PlannedSwitchover
from infra_fixtures.faults.schedule import Schedule, injected_in_turn
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.fis.switchover import GLOBAL_CLUSTER, STANDBY_CLUSTER, SWITCHOVER
from infra_fixtures.fis.template_file import Substitution
from infra_fixtures.fis.written import Place
from infra_fixtures.processes.events import Event, read_events
from infra_fixtures.provision.naming import RUN_TAG
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import Journal, open_entries
from infra_fixtures.targets.parts import DatabasePart, part_of
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


def test_an_experiment_whose_harness_is_gone_is_ended_by_another_process(system: System, tmp_path: Path) -> None:
    """By the journal alone: FIS gives the subnets back, and template and role are deleted."""
    world = system.world
    before = _acls(system), _roles(system)
    journal = Journal(tmp_path)
    injection = FAULT.prepare(world)
    entry = journal.begin(FAULT.name, injection.undo)
    injection.act(lambda *undo: journal.learned(entry, undo))
    journal.close()
    assert _acls(system) != before[0]
    words = [sys.executable, "-m", "tests.infra_fixtures.fis.heal_elsewhere", str(tmp_path), str(world.layout.path)]
    told = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    assert open_entries(journal.path) == []
    assert (_acls(system), _roles(system)) == before
    fis = world.client("fis", world.primary)
    assert fis.list_experiment_templates()["experimentTemplates"] == []
    assert {e["state"]["status"] for e in fis.list_experiments()["experiments"]} == {"completed", "stopped"}


def test_what_is_written_of_a_fault_is_executed_with_just_the_permissions_written(
    system: System, tmp_path: Path
) -> None:
    """From our fault to a template and a role, and back as a fault: each call that FIS makes is one that the role may make."""
    before = _acls(system)
    with _made(system, SubnetsIsolated(), tmp_path) as (fault, found):
        with injected(system.world, fault):
            assert set(_acls(system).values()).isdisjoint(before.values())
        role = found["template"]["roleArn"]
    assert _acls(system) == before
    allowed = {action for s in found["permissions"]["Statement"] for action in s["Action"]}
    made = {_as_action(e.detail) for e in _calls(system) if e.detail.startswith(f"{role} ")}
    assert "ec2:ReplaceNetworkAclAssociation" in made
    assert made <= allowed


def test_the_switchover_that_is_written_moves_the_database(system: System, tmp_path: Path) -> None:
    """By its automation document, as its own role; the roles are given back by whoever plays the drill."""
    world = system.world
    with _made(system, PlannedSwitchover(), tmp_path) as (fault, found), injected(world, fault):
        wait_until(lambda: system.writer() == world.standby, what="the standby to become the writer", timeout_s=30)
    assert world.journal.open_entries() == []
    allowed = {action for s in found["automation-permissions"]["Statement"] for action in s["Action"]}
    made = {_as_action(e.detail) for e in _calls(system) if f"role/{SWITCHOVER.role} " in e.detail}
    assert "rds:SwitchoverGlobalCluster" in made
    assert made <= allowed


@contextlib.contextmanager
def _made(system: System, fault: Fault, directory: Path) -> Iterator[tuple[FisExperiment, dict[str, Any]]]:
    """What is written of a fault, with its roles and its automation made as a user would: the fault that plays it."""
    world, region = system.world, system.world.primary
    account = world.client("sts", region).get_caller_identity()["Account"]
    place = Place(account, world.primary, world.standby, {RUN_TAG: world.run_id})
    found: dict[str, Any] = dict(written("drill-written", Scenario.of(fault), place).documents)
    file = directory / "written.json"
    file.write_text(json.dumps(found["template"]))
    iam, ssm = world.client("iam"), world.client("ssm", region)
    roles = {"": found["template"]["roleArn"].rpartition("/")[2]}
    if "automation" in found:
        roles["automation-"] = SWITCHOVER.role
        content = json.dumps(found["automation"])
        ssm.create_document(Content=content, Name=SWITCHOVER.name, DocumentType="Automation", DocumentFormat="JSON")
    for prefix, role in roles.items():
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(found[f"{prefix}trust"]))
        policy = json.dumps(found[f"{prefix}permissions"])
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy)
    database = part_of(world, DatabasePart)
    texts = (
        Substitution(GLOBAL_CLUSTER, database.global_cluster_id),
        Substitution(STANDBY_CLUSTER, database.clusters[world.standby].arn),
    )
    try:
        yield FisExperiment(template_file=str(file), substitute=texts), found
    finally:
        for role in roles.values():
            iam.delete_role_policy(RoleName=role, PolicyName="p")
            iam.delete_role(RoleName=role)
        if "automation" in found:
            ssm.delete_document(Name=SWITCHOVER.name)


def _calls(system: System) -> list[Event]:
    """Every call that the model's FIS made as an experiment's role."""
    events = read_events(Path(system.world.layout.work_dir) / "fis.events.jsonl")
    return [e for e in events if e.event == "fis.call"]


def _as_action(detail: str) -> str:
    """`ROLE ec2:describe_subnets REGION` as IAM calls it."""
    service, _, operation = detail.split()[1].partition(":")
    return f"{service}:{operation if operation[0].isupper() else operation.title().replace('_', '')}"


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
