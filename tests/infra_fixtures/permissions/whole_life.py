"""A system's whole life on the embedded target, with every call of the AWS API that the harness makes in it.

    python -m tests.infra_fixtures.permissions.whole_life

writes what the roles needed for it to needs.json.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from drill.unusable import UnusableInput
from infra_fixtures.faults.fault import STANDBY, Fault, injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.planned_switchover import PlannedSwitchover
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.permissions import needs
from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import NAME, REGIONS, TAG
from infra_fixtures.permissions.policies import Narrowing
from infra_fixtures.preflight.flight import system_findings
from infra_fixtures.preflight.rights import rights
from infra_fixtures.provision import tear_down
from infra_fixtures.provision.naming import Names
from infra_fixtures.safety.aws_operations import changes
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.safety.stop_conditions import Alarm, Sight
from infra_fixtures.safety.tag_lookups import Place
from infra_fixtures.safety.target_lock import target_lock
from infra_fixtures.safety.touched import touched
from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.targets.emulated_account import emulated_account
from infra_fixtures.targets.parts import AlarmPart, part_of
from infra_fixtures.topology import embedded_topology
from infra_fixtures.usage import described
from probes.all import probes_for
from probes.survivors import read_survivors
from tests.infra_fixtures.permissions.recording import ACCOUNT, Recording, acting_as, joined, recording
from tests.infra_fixtures.targets.aws.use import options
from tests.real_world import System, real_world

ANYONE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}'
FAULTS: tuple[Fault, ...] = (
    LambdaThrottled(STANDBY),
    SecurityGroupRevoked(STANDBY),
    SubnetsIsolated(STANDBY),
    PlannedSwitchover(),
)
"""Those that call the AWS API; the others use powers, which AWS does not know."""


class Deaf:
    """Takes what probes tell."""

    def mark(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""

    def sample(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""


def whole_life(runs_dir: Path) -> Recording:
    """Provision, probe, break and heal, read survivors, lock, tear down; what was called meanwhile."""
    with recording() as found, real_world(runs_dir) as system:
        _watch(system)
        _lock(system.world)
        _look_at_tags(system.world, found)
        tear_down(system.world.clients, embedded_topology(system.world.pace), system.world.run_id)
    return found


def life_on_aws(runs_dir: Path) -> Recording:
    """The same by the aws target, in an emulated account with the three roles: whose a call is, its session says."""
    with emulated_account() as account, pytest.MonkeyPatch.context() as environment:
        for name, value in account.credentials.items():
            environment.setenv(name, value)
        iam = account.client("iam")
        for role in Role:
            iam.create_role(RoleName=role.value, AssumeRolePolicyDocument=ANYONE, MaxSessionDuration=43200)
        roles = {f"aws_{r.value}_role": f"arn:aws:iam::{account.account_id}:role/{r.value}" for r in Role}
        given = {**options(account), **roles, "aws_hours": "1"}
        with recording() as found, standing("aws", pace=10.0, runs_dir=runs_dir, options=given) as world:
            for fault in FAULTS:
                with injected(world, fault):
                    pass
            list(read_survivors(world, world.standby, 0))
            system_findings(world)
    return found


def _watch(system: System) -> None:
    """Every probe, from before the faults until after them, then what else is only read."""
    world = system.world
    stop, probes = threading.Event(), probes_for(world, dict)
    threads = [threading.Thread(target=probe.watch, args=(Deaf(), stop), daemon=True) for probe in probes]
    for thread in threads:
        thread.start()
    try:
        system.primary.order(receipt=True)
        for fault in FAULTS:
            with injected(world, fault):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    for region in (world.primary, world.standby):
        list(read_survivors(world, region, 0))
    alarm = Alarm(name=part_of(world, AlarmPart).name, region=world.standby)
    alarm.met(Sight(world.client, lambda: None, list, 0))  # type: ignore[arg-type,return-value]
    with described(world):
        pass
    system_findings(world)
    role = f"arn:aws:iam::{ACCOUNT}:role/{Names(world.run_id).of('controller')}"
    rights(world.client("iam"), {Role.OBSERVER: role}, Narrowing(REGIONS, NAME, TAG))


def _lock(world: Embedded) -> None:
    """As a target that outlives the run takes it, and as another run is refused."""
    place = LockPlace(world.client("s3", world.standby), ACCOUNT, "aws")
    with target_lock(place, world.run_id):
        try:
            with target_lock(place, "another"):
                raise AssertionError("two runs hold one lock")
        except UnusableInput:
            pass


def _look_at_tags(world: Embedded, found: Recording) -> None:
    """What a guard whose scope has a tag looks up before it lets a call of a breaker through."""
    models: dict[str, Any] = {}
    for one in [m for m in found.made if m.role is Role.BREAKER]:
        call = one.call
        if call.service not in models:
            models[call.service] = get_session().get_service_model(call.service)
        if not changes(models[call.service].operation_model(call.operation)):
            continue
        for resource in touched(call.service, call.parameters):
            with acting_as(Role.BREAKER):
                resource.tags(Place(world.client, call.region, ACCOUNT))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        here = whole_life(Path(place))
    with tempfile.TemporaryDirectory() as place:
        there = life_on_aws(Path(place))
    needs.write(joined(here.needs(), there.needs()))
    sys.exit(0)
