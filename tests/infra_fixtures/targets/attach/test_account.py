"""An attached system with parts in an AWS account (moto's): found, guarded, broken and healed by its API, and locked there."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import tomli_w
from rich.console import Console

from drill.unusable import UnusableInput
from gameday.day import GameDay
from gameday.options import Options
from gameday.play import Showing, observe
from infra_fixtures.faults.command import CommandFault
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.orphan_runs import heal_orphan, orphans
from infra_fixtures.planning.agreement import DryRun
from infra_fixtures.planning.walk import walked
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL, Header, Journal
from infra_fixtures.safety.way import Way
from infra_fixtures.standing import standing
from infra_fixtures.targets.parts import BucketPart, DatabasePart, FunctionsPart, NetworkPart
from infra_fixtures.targets.world import World
from reports.live import Live
from tests.attached.scripted import CONTRACT
from tests.infra_fixtures.planning.account_target import ACCOUNT, FUNCTION, PRIMARY, SENT, STANDBY, STANDING
from tests.infra_fixtures.planning.conftest import ALLOWED, account, moto_account  # noqa: F401

pytestmark = pytest.mark.usefixtures("account")
PART = "dr-drill-part"


def options(directory: Path, aws: dict[str, Any], allowed: str = ALLOWED) -> dict[str, Any]:
    """The target's options, as a command line gives them."""
    (directory / "orders.toml").write_text(CONTRACT)
    tables = {
        "name": "orders",
        "workload": "orders.toml",
        "service": {"url": "http://127.0.0.1:1"},
        "primary": {"name": PRIMARY, "url": "http://127.0.0.2:1"},
        "standby": {"name": STANDBY, "url": "http://127.0.0.3:1"},
        "aws": aws,
    }
    told = {"path": str(directory / "system.toml"), "text": tomli_w.dumps(tables)}
    return {"topology": told, "gameday": {"path": "gameday.toml", "text": allowed}, "yes": ACCOUNT}


def network() -> dict[str, Any]:
    """What the tests deployed, as a description says it."""
    own = STANDING[0]
    return {
        site: {"vpc": own.vpcs[r], "private_subnets": [own.subnets[r]], "database_group": own.groups[r]}
        for site, r in (("primary", PRIMARY), ("standby", STANDBY))
    }


@contextlib.contextmanager
def attached(directory: Path, told: dict[str, Any]) -> Iterator[World]:
    """It stands."""
    with standing("attach", pace=1.0, runs_dir=directory / "runs", options=told) as world:
        yield world


def concurrency() -> Any:
    """What the owner sees of the primary's function."""
    asked = boto3.client("lambda", region_name=PRIMARY).get_function_concurrency(FunctionName=FUNCTION)
    return asked.get("ReservedConcurrentExecutions")


def test_faults_are_api_calls_on_what_its_owner_named(tmp_path: Path) -> None:
    """Throttled and given back, revoked and authorized; a second game day is kept out by a lock in the account."""
    told = options(tmp_path, {"function": FUNCTION, "network": network()})
    with attached(tmp_path, told) as world:
        assert world.part(DatabasePart) is None
        with injected(world, LambdaThrottled()):
            assert concurrency() == 0
        assert concurrency() is None
        with injected(world, SecurityGroupRevoked()):
            group = boto3.client("ec2", region_name=PRIMARY).describe_security_groups(
                GroupIds=[STANDING[0].groups[PRIMARY]]
            )
            assert group["SecurityGroups"][0]["IpPermissions"] == []
        with pytest.raises(UnusableInput, match="attach"), attached(tmp_path, told):
            pytest.fail("two game days overlap")
    with attached(tmp_path, told):
        pass


def test_without_consent_nothing_is_changed(tmp_path: Path) -> None:
    """No game day file, no agreement, another account: a sentence before anything is done."""
    told = options(tmp_path, {"function": FUNCTION})
    for changed, sentence in (
        ({"gameday": None}, "give --gameday FILE"),
        ({"yes": None}, "nobody has agreed to change the account"),
        ({"yes": "999999999999"}, "is not the account that would be changed"),
    ):
        with pytest.raises(UnusableInput, match=sentence), attached(tmp_path, {**told, **changed}):
            pytest.fail("it was attached")
    assert concurrency() is None


def test_the_watchdog_has_the_variables_of_healing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are named, and of others none."""
    monkeypatch.setenv("NAMED", "yes")
    monkeypatch.setenv("OTHER", "no")
    told = options(tmp_path, {"function": FUNCTION})
    with standing("attach", pace=1.0, runs_dir=tmp_path / "runs", options=told, healing_variables=("NAMED",)):
        own = f"PPid:\t{os.getpid()}\n"
        (watchdog,) = [
            process
            for process in Path("/proc").glob("[0-9]*")
            if own in _said(process / "status") and "infra_fixtures.watchdog" in _said(process / "cmdline")
        ]
        given = (watchdog / "environ").read_bytes().split(b"\0")
    assert b"NAMED=yes" in given
    assert b"OTHER=no" not in given


def _said(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile
        return ""


def test_an_observation_is_planned_and_agreed_to_as_well(tmp_path: Path) -> None:
    """It sends load, and holds the account: a dry run ends with its plan, and too much load is refused."""
    told = options(tmp_path, {"function": FUNCTION})
    objectives = REPOSITORY / "objectives.toml"
    for changed, allowed, error, words in (
        ({"dry_run": True}, ALLOWED, DryRun, "nothing was changed"),
        ({}, ALLOWED.replace("300.0", "3.0"), UnusableInput, "the load is up to 11 requests a second"),
    ):
        given = {**told, **changed, "gameday": {"path": "gameday.toml", "text": allowed}}
        day = GameDay.begin(Options("attach", 1.0, objectives, tmp_path / "runs", of_target=given))
        SENT.operations.clear()
        with Live(Console(file=io.StringIO()), "observed") as live, pytest.raises(error, match=words):
            observe(day, "observed", 1.0, threading.Event(), Showing(live))
        assert SENT.changing == []
        assert not (day.run.path / JOURNAL).exists()
        assert "observed on attach" in (day.run.scenario("observed", 1) / "plan.txt").read_text()


def test_a_rehearsal_runs_no_command(tmp_path: Path) -> None:
    """What a command would do is no AWS call: it is planned as a power, and not run."""
    ran = tmp_path / "ran"
    with attached(tmp_path, options(tmp_path, {"function": FUNCTION})) as world:
        fault = CommandFault(f"touch {ran}", heal=Way("true"))
        (planned,) = walked(world, Schedule.of(fault))
        assert "a power of the target" in planned.note
        assert not ran.exists()
        with injected(world, fault):
            assert ran.exists()


def test_any_process_heals_it_by_its_api(tmp_path: Path) -> None:
    """The journal of a dead run is enough: the account is found again by its header, under the same guard."""
    told = options(tmp_path, {"function": FUNCTION})
    with attached(tmp_path, told) as world:
        header = next(line for line in world.journal.lines() if isinstance(line, Header))
        undo = LambdaThrottled().prepare(world).undo
    boto3.client("lambda", region_name=PRIMARY).put_function_concurrency(
        FunctionName=FUNCTION, ReservedConcurrentExecutions=0
    )
    journal = Journal(tmp_path / "dead" / "run")
    journal.stands_up(header)
    journal.begin("lambda_throttled", undo)
    journal.close()
    (dead,) = orphans(tmp_path / "dead")
    assert "healed lambda_throttled" in heal_orphan(dead, by="heal")
    assert concurrency() is None


def test_parts_are_found_by_tag(tmp_path: Path) -> None:
    """Each resource says by a tag which part it is; what is written in the description goes before."""
    own = STANDING[0]
    for region, site in ((PRIMARY, "primary"), (STANDBY, "standby")):
        ec2 = boto3.client("ec2", region_name=region)
        for resource, place in (
            (own.vpcs[region], "vpc"), (own.subnets[region], "private_subnets"), (own.groups[region], "database_group"),
        ):  # fmt: skip
            ec2.create_tags(Resources=[resource], Tags=[{"Key": PART, "Value": f"network.{site}.{place}"}])
    told = {"function": "of-the-file", "tags": {"key": "dr-drill", "value": "may-break"}}
    with attached(tmp_path, options(tmp_path, told)) as world:
        found = world.part(NetworkPart)
        assert found is not None
        for region in (PRIMARY, STANDBY):
            vpc = found.networks[region]
            assert (vpc.vpc_id, vpc.private_subnets, vpc.database_group_id) == (
                own.vpcs[region], (own.subnets[region],), own.groups[region],
            )  # fmt: skip
        assert world.part(FunctionsPart) == FunctionsPart("of-the-file")


def test_parts_are_read_from_a_stack(tmp_path: Path) -> None:
    """Its outputs are called by their places; a stack that is not there is a sentence."""
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {
            "DrillBucketsPrimary": {"Value": "left"},
            "DrillBucketsStandby": {"Value": "right"},
            "DrillFunction": {"Value": FUNCTION},
        },
    }
    boto3.client("cloudformation", region_name=PRIMARY).create_stack(
        StackName="orders", TemplateBody=json.dumps(template)
    )
    with attached(tmp_path, options(tmp_path, {"stack": "orders"})) as world:
        assert world.part(BucketPart) == BucketPart({PRIMARY: "left", STANDBY: "right"})
        assert world.part(FunctionsPart) == FunctionsPart(FUNCTION)
    with (
        pytest.raises(UnusableInput, match="the parts of the system cannot be read from the account"),
        attached(tmp_path, options(tmp_path, {"stack": "none"})),
    ):
        pytest.fail("it was attached")
    assert not list(orphans(tmp_path / "runs"))
