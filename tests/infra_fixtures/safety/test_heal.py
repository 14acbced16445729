"""One way to undo, whoever does it: in an order that works, tolerant of what is done already, never said done when not."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra_fixtures.powers import LinkName
from infra_fixtures.safety.heal import HealingFailed, undo_all
from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.undo import (
    AwsCall,
    AwsCallForEach,
    AwsInTurn,
    AwsUntil,
    RemoveLinkRule,
    RestoreRegion,
    ReturnToPrimary,
    RunCommand,
)


@dataclass
class Target:
    """A target with the AWS API of moto and two powers, which notes the order of what is undone."""

    done: list[str] = field(default_factory=list)
    broken: str = ""

    def client(self, service: str, region: str | None = None) -> Any:
        """moto's, but for s3, whose API is gone."""
        if service == "s3":
            return None
        return boto3.client(
            service,
            region_name=region or "us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def healing(self) -> AbstractContextManager[None]:
        """Nothing guards it."""
        return contextlib.nullcontext()

    def lose_region(self, region: str) -> None:
        """For the power to be whole."""

    def restore_region(self, region: str) -> None:
        """Note it, or fail."""
        if region == self.broken:
            raise RuntimeError(f"{region} does not come back")
        self.done.append(region)

    def add_link_rule(self, link: LinkName, rule_id: str, rule: object) -> None:
        """For the power to be whole."""

    def remove_link_rule(self, link: LinkName, rule_id: str) -> None:
        """Note it."""
        self.done.append(rule_id)

    def reset_link(self, link: LinkName) -> None:
        """For the power to be whole."""


def test_links_first_then_the_newest(tmp_path: Path) -> None:
    """A database cannot rejoin over a cut link, and each other undo restores what was before its own fault."""
    journal, target = Journal(tmp_path), Target()
    journal.begin("cut", [RemoveLinkRule("replication", "both", "cut")])
    journal.begin("first", [RestoreRegion("first")])
    journal.begin("slow", [RemoveLinkRule("replication", "both", "slow")])
    journal.begin("second", [RestoreRegion("second")])
    undo_all(target, journal, "test")
    assert target.done == ["slow", "cut", "second", "first"]
    assert journal.open_entries() == []
    journal.close()


def test_roles_are_given_back_last(tmp_path: Path) -> None:
    """However late they were moved: a region that is still broken can take none."""
    journal, target = Journal(tmp_path), Target()
    said = tmp_path / "said"
    journal.begin("break", [RestoreRegion("broken")])
    back = RunCommand(f"echo back >> {said}", timeout_s=10, gives_roles=True)
    journal.begin("failover", [back])
    journal.begin("later", [RunCommand(f"echo later >> {said}", timeout_s=10)])
    assert [entry.fault for entry in undo_all(target, journal, "test")] == ["later", "break", "failover"]
    assert said.read_text() == "later\nback\n"


def test_roles_are_given_back_once_every_fault_is_undone(tmp_path: Path) -> None:
    """Also by a fault that is healed first and then gives them back: another one's region would still be broken."""
    journal, done = Journal(tmp_path), tmp_path / "done"

    def says(word: str, *, gives_roles: bool = False) -> RunCommand:
        return RunCommand(f"echo {word} >> {done} && [ {word} != third ]", 10.0, gives_roles=gives_roles)

    journal.begin("first", [says("first")])
    journal.begin("second", [says("second"), says("roles", gives_roles=True)])
    undo_all(Target(), journal, "test")
    assert done.read_text().split() == ["second", "first", "roles"]
    assert journal.open_entries() == []
    journal.begin("third", [says("third"), says("roles", gives_roles=True)])
    with pytest.raises(HealingFailed, match="third: "):
        undo_all(Target(), journal, "test")
    assert done.read_text().split()[3:] == ["third", "roles"], "one of it failed and the rest was not tried"
    assert [e.fault for e in journal.open_entries()] == ["third"]
    journal.close()


def test_what_failed_stays_open_and_the_rest_is_done(tmp_path: Path) -> None:
    """The sentence names fault and reason; a second try, when it can work, closes it."""
    journal, target = Journal(tmp_path), Target(broken="bad")
    journal.begin("lost", [RestoreRegion("bad"), RestoreRegion("good")])
    journal.begin("other", [RestoreRegion("other")])
    with pytest.raises(HealingFailed, match=r"lost: .*bad does not come back"):
        undo_all(target, journal, "test")
    assert target.done == ["other", "good"]
    assert [e.fault for e in journal.open_entries()] == ["lost"]
    target.broken = ""
    undo_all(target, journal, "test")
    assert journal.open_entries() == []
    journal.close()


def test_a_missing_power_is_no_healing(tmp_path: Path) -> None:
    """Who cannot give roles back must not say so."""
    journal = Journal(tmp_path)
    journal.begin("switchover", [ReturnToPrimary()])
    with pytest.raises(HealingFailed, match="RolesPower is needed"):
        undo_all(Target(), journal, "test")
    assert len(journal.open_entries()) == 1
    journal.close()


@mock_aws
def test_what_is_so_already_is_healed_and_what_is_refused_is_not(tmp_path: Path) -> None:
    """The error codes of a call that mean done count as done, others do not; done twice is as done once."""
    journal, target = Journal(tmp_path), Target()
    ec2 = target.client("ec2", "us-east-1")
    group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    undo = AwsCall(
        "ec2",
        "us-east-1",
        "authorize_security_group_ingress",
        {"GroupId": group, "IpPermissions": [rule]},
        ("InvalidPermission.Duplicate",),
    )
    for _ in range(2):
        journal.begin("revoked", [undo])
        undo_all(target, journal, "test")
    assert len(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]) == 1
    journal.begin("strict", [AwsCall(undo.service, undo.region, undo.operation, undo.parameters)])
    with pytest.raises(HealingFailed, match=r"InvalidPermission\.Duplicate"):
        undo_all(target, journal, "test")
    journal.begin("typo", [AwsCall("ec2", "us-east-1", "authorise_ingress")])
    with pytest.raises(HealingFailed, match="ec2 has no operation authorise_ingress"):
        undo_all(target, journal, "test")
    journal.close()


@mock_aws
def test_what_needs_the_one_before_is_not_tried_without_it(tmp_path: Path) -> None:
    """A role that AWS itself still undoes something with is kept until that is done; the journal knows it again."""
    journal, target = Journal(tmp_path), Target()
    ec2 = target.client("ec2", "us-east-1")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    own = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}

    def deleted_once_it_is(cidr: str) -> AwsInTurn:
        until = AwsUntil(AwsCall("ec2", "us-east-1", "describe_vpcs", own), f"Vpcs[0].CidrBlock=='{cidr}'", "its range")
        return AwsInTurn((until, AwsCall("ec2", "us-east-1", "delete_vpc", {"VpcId": vpc})))

    journal.begin("early", [deleted_once_it_is("10.8.0.0/16")])
    with pytest.raises(HealingFailed, match=r"early: .*in vain for its range"):
        undo_all(target, journal, "test")
    assert ec2.describe_vpcs(**own)["Vpcs"]
    journal.healed(journal.open_entries()[0].entry)
    journal.begin("due", [deleted_once_it_is("10.9.0.0/16")])
    undo_all(target, journal, "test")
    assert not ec2.describe_vpcs(**own)["Vpcs"]
    journal.close()


@mock_aws
def test_what_was_made_is_found_though_its_id_was_never_learnt(tmp_path: Path) -> None:
    """Each thing that the look finds is undone; a second time there is nothing to find."""
    journal, target = Journal(tmp_path), Target()
    ec2 = target.client("ec2", "us-east-1")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "made-by", "Value": "this-test"}]}]
    for number in range(2):
        ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16", TagSpecifications=tags)
    mine = {"Filters": [{"Name": "tag:made-by", "Values": ["this-test"]}]}
    undo = AwsCallForEach(
        AwsCall("ec2", "us-east-1", "describe_vpcs", mine),
        "Vpcs[].{VpcId: VpcId}",
        AwsCall("ec2", "us-east-1", "delete_vpc"),
    )
    for _ in range(2):
        journal.begin("vpcs", [undo])
        undo_all(target, journal, "test")
        assert ec2.describe_vpcs(**mine)["Vpcs"] == []
    journal.close()


def test_what_an_api_held_is_gone_with_it(tmp_path: Path) -> None:
    """No client means that there is no API any more, so that nothing is left to be undone there."""
    journal = Journal(tmp_path)
    journal.begin("denied", [AwsCall("s3", "us-east-1", "delete_bucket_policy", {"Bucket": "b"})])
    undo_all(Target(), journal, "test")
    assert journal.open_entries() == []
    journal.close()
