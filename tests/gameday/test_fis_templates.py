"""Scenarios as templates of AWS FIS: what AWS takes, with just the rights that they need, or a refusal that names why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scenarios.__main__
from drill.unusable import UnusableInput
from gameday.fis_templates import written
from gameday.scenario import Scenario
from infra_fixtures.faults.arc_region_switch import ArcRegionSwitch
from infra_fixtures.faults.arc_routing_controls import ArcRoutingControls
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.chaos_toolkit_method import ChaosToolkitMethod
from infra_fixtures.faults.command import CommandFault
from infra_fixtures.faults.fault import Fault
from infra_fixtures.faults.fis_experiment import FisExperiment
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.link_degraded import LinkDegraded
from infra_fixtures.faults.operator import OperatorFault
from infra_fixtures.faults.planned_switchover import PlannedSwitchover
from infra_fixtures.faults.schedule import Schedule, Scheduled
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.fis.cloudformation import capitalised
from infra_fixtures.fis.experiment import refuse_late
from infra_fixtures.fis.permissions import NEEDED, permissions
from infra_fixtures.fis.template_file import create_shape, refuse_what_aws_would
from infra_fixtures.fis.written import NotInFis, Place
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.safety.way import Way

PLACE = Place("123456789012", "us-east-1", "us-west-2", {"dr-drill": "may-break"})
ISOLATED = Scheduled(SubnetsIsolated(), for_s=120)
IN_FIS = {"subnets_isolated", "lambda_throttled", "planned_switchover", "s3_replication_disabled"}
GIVEN: dict[type[Fault], Fault] = {
    FisExperiment: FisExperiment(template="EXT1"),
    LinkDegraded: LinkDegraded(LinkRule(cut=True)),
    ChaosToolkitMethod: ChaosToolkitMethod("experiment.json"),
    ArcRegionSwitch: ArcRegionSwitch("arn:aws:arc-region-switch::123456789012:plan/p"),
    ArcRoutingControls: ArcRoutingControls({"us-east-1": "https://a.example/v1"}, off=("arn:1",)),
    CommandFault: CommandFault("true", heal=Way("true")),
    OperatorFault: OperatorFault("pull the cable"),
}
"""Faults that are nothing by default."""
LISTED = {
    "aws:network:disrupt-connectivity": {
        "ec2:CreateNetworkAcl", "ec2:CreateNetworkAclEntry", "ec2:CreateTags", "ec2:DeleteNetworkAcl",
        "ec2:DescribeManagedPrefixLists", "ec2:DescribeNetworkAcls", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
        "ec2:GetManagedPrefixListEntries", "ec2:ReplaceNetworkAclAssociation",
    },
    "aws:s3:bucket-pause-replication": {
        "s3:PutReplicationConfiguration", "s3:GetReplicationConfiguration", "s3:PauseReplication", "s3:ListAllMyBuckets",
        "tag:GetResources",
    },
    "aws:lambda:invocation-error": {"s3:PutObject", "s3:DeleteObject", "lambda:GetFunction", "tag:GetResources"},
    "aws:ssm:start-automation-execution": {
        "ssm:GetAutomationExecution", "ssm:StartAutomationExecution", "ssm:StopAutomationExecution", "iam:PassRole",
    },
    "aws:fis:wait": set(),
}  # fmt: skip
"""The permissions of each action in the actions reference of FIS."""


def documents(scenario: Scenario, **options: Any) -> dict[str, Any]:
    """What the scenario becomes."""
    return dict(written("isolated", scenario, PLACE, **options).documents)


@pytest.mark.parametrize("name", sorted(IN_FIS))
def test_aws_takes_the_template(name: str) -> None:
    """By botocore's own model; what is left to be filled in is filled in first."""
    template = documents(Scenario(Schedule.from_tables([{"fault": name}], source="test")))["template"]
    text = json.dumps(template).replace("<GLOBAL CLUSTER ID>", "g").replace("<STANDBY CLUSTER ARN>", "arn:aws:rds:x")
    refuse_what_aws_would(json.loads(text), name)
    refuse_late(template["actions"], name)


@pytest.mark.parametrize("kind", catalogue().values(), ids=list(catalogue()))
def test_every_other_fault_is_refused_by_its_name(kind: type[Fault]) -> None:
    """With the reason and the page that lists what FIS has."""
    if kind.__struct_config__.tag in IN_FIS:
        assert kind.in_fis is not Fault.in_fis
        return
    sentence = rf"FIS has no action for {kind.__struct_config__.tag}: .*fis-actions-reference\.html\)"
    with pytest.raises(NotInFis, match=sentence):
        (GIVEN.get(kind) or kind()).in_fis(PLACE)


def test_a_scenario_with_alarms_logs_and_a_wait() -> None:
    """Each part where AWS wants it."""
    scenario = Scenario.of(
        ISOLATED,
        Scheduled(LambdaThrottled(function="orders"), at_s=60),
        stop=({"kind": "alarm", "name": "5xx", "region": "us-east-1"}, {"kind": "file", "path": "/stop"}),
    )
    made = written("isolated", scenario, PLACE, log_group="chaos")
    template = dict(made.documents)["template"]
    actions = template["actions"]
    assert actions["subnets-isolated"] == {
        "actionId": "aws:network:disrupt-connectivity",
        "parameters": {"scope": "all", "duration": "PT2M"},
        "targets": {"Subnets": "subnets-isolated-targets"},
    }
    assert actions["before-lambda-throttled"] == {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}}
    assert actions["lambda-throttled"]["startAfter"] == ["before-lambda-throttled"]
    assert actions["lambda-throttled"]["parameters"]["duration"] == "PT10M"
    assert template["targets"] == {
        "subnets-isolated-targets": {
            "resourceType": "aws:ec2:subnet",
            "resourceTags": {"dr-drill": "may-break"},
            "selectionMode": "ALL",
        },
        "lambda-throttled-targets": {
            "resourceType": "aws:lambda:function",
            "resourceArns": ["arn:aws:lambda:us-east-1:123456789012:function:orders"],
            "selectionMode": "ALL",
        },
    }
    alarm = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:5xx"
    assert template["stopConditions"] == [{"source": "aws:cloudwatch:alarm", "value": alarm}]
    group = "arn:aws:logs:us-east-1:123456789012:log-group:chaos:*"
    assert template["logConfiguration"]["cloudWatchLogsConfiguration"] == {"logGroupArn": group}
    assert template["tags"] == {"Name": "isolated", "dr-drill": "may-break"}
    assert "FIS does not stop where the file /stop is there: only python -m scenarios play does" in made.notes
    refuse_what_aws_would(template, "isolated")


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [
        (
            Scenario.of(Scheduled(SubnetsIsolated(), for_s=3)),
            "subnets-isolated is 3 s, and FIS takes one minute to 12 hours",
        ),
        (Scenario.of(Scheduled(SubnetsIsolated(), for_s=50_000)), "is 50000 s, and FIS takes one minute"),
        (Scenario.of(Scheduled(SubnetsIsolated(), for_s=90.5)), "takes whole seconds"),
        (Scenario.of(ISOLATED, Scheduled(LambdaThrottled(), at_s=5)), "the time before lambda-throttled is 5 s"),
        (Scenario.of(ISOLATED, PlannedSwitchover(), SubnetsIsolated("standby")), "us-east-1 and us-west-2"),
        (
            Scenario.of(ISOLATED, stop=({"kind": "alarm", "name": "a", "region": "us-west-2"},)),
            "it watches alarms of us-east-1",
        ),
        (
            Scenario.of(ISOLATED, stop=({"kind": "alarm", "name": "a", "region": "us-east-1", "state": "OK"},)),
            "stops in ALARM",
        ),
        (
            Scenario.of(
                ISOLATED, stop=tuple({"kind": "alarm", "name": f"a{n}", "region": "us-east-1"} for n in range(6))
            ),
            "6 alarms as stop conditions, and FIS takes 5",
        ),
    ],
)
def test_what_fis_cannot_do_is_refused_in_a_sentence(scenario: Scenario, sentence: str) -> None:
    """And how to mend it."""
    with pytest.raises(UnusableInput) as refused:
        written("isolated", scenario, PLACE)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("action", sorted(NEEDED))
def test_a_role_is_allowed_what_the_reference_lists_and_no_more(action: str) -> None:
    """Of the Lambda actions all need the same."""
    given = {
        "actionId": action,
        "parameters": {
            "documentArn": "arn:aws:ssm:us-east-1:1:document/d",
            "documentParameters": '{"AutomationAssumeRole": "r"}',
        },
    }
    found = permissions({"actions": {"a": given, "b": given}}, "1", "us-east-1")["Statement"]
    allowed = [name for statement in found for name in statement["Action"]]
    assert set(allowed) == LISTED.get(action, LISTED["aws:lambda:invocation-error"])
    anywhere = {name for s in found if s["Resource"] == ["*"] for name in s["Action"]}
    assert all(name.split(":")[1].startswith(("Describe", "List", "GetResources")) for name in anywhere)


def test_only_fis_may_have_the_role_for_experiments_of_the_account() -> None:
    """Against a confused deputy."""
    (statement,) = documents(Scenario.of(ISOLATED))["trust"]["Statement"]
    assert statement["Principal"] == {"Service": "fis.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": "arn:aws:fis:us-east-1:123456789012:experiment/*"}


def test_a_given_role_is_used_and_none_is_written() -> None:
    """Its policies are its owner's."""
    found = documents(Scenario.of(ISOLATED), role_arn="arn:aws:iam::123456789012:role/chaos")
    assert list(found) == ["template"]
    assert found["template"]["roleArn"] == "arn:aws:iam::123456789012:role/chaos"


def test_a_switchover_brings_its_automation_and_the_roles_of_both() -> None:
    """FIS may hand the automation its role, and that role may switch over."""
    found = documents(Scenario.of(PlannedSwitchover()))
    parameters = json.loads(found["template"]["actions"]["planned-switchover"]["parameters"]["documentParameters"])
    assert set(parameters) == set(found["automation"]["parameters"])
    passed = [s["Resource"] for s in found["permissions"]["Statement"] if "iam:PassRole" in s["Action"]]
    assert passed == [[parameters["AutomationAssumeRole"]]]
    steps = [(s["action"], s["inputs"].get("Api")) for s in found["automation"]["mainSteps"]]
    apis = {f"rds:{api}" for _, api in steps if api}
    assert apis == set(found["automation-permissions"]["Statement"][0]["Action"])
    assert found["automation-trust"]["Statement"][0]["Principal"] == {"Service": "ssm.amazonaws.com"}


def test_cloudformation_says_the_same() -> None:
    """Members of structures have a capital first letter, names stay, and the role is its own resource."""
    plain = documents(Scenario.of(ISOLATED))
    stack = documents(Scenario.of(ISOLATED), cloudformation=True)["cloudformation"]
    template, role = (stack["Resources"][name]["Properties"] for name in ("ExperimentTemplate", "ExperimentRole"))
    assert template["Actions"]["subnets-isolated"] == {
        "ActionId": "aws:network:disrupt-connectivity",
        "Parameters": {"scope": "all", "duration": "PT2M"},
        "Targets": {"Subnets": "subnets-isolated-targets"},
    }
    assert template["Targets"]["subnets-isolated-targets"]["ResourceTags"] == {"dr-drill": "may-break"}
    assert template["RoleArn"] == {"Fn::GetAtt": ["ExperimentRole", "Arn"]}
    assert role["Policies"][0]["PolicyDocument"] == plain["permissions"]
    assert {**template, "RoleArn": plain["template"]["roleArn"]} == capitalised(plain["template"], create_shape())
    both = documents(Scenario.of(PlannedSwitchover()), cloudformation=True)["cloudformation"]["Resources"]
    assert {r["Type"] for r in both.values()} == {
        "AWS::IAM::Role", "AWS::SSM::Document", "AWS::FIS::ExperimentTemplate",
    }  # fmt: skip


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`python -m scenarios fis` in a directory of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        return scenarios.__main__.main(["fis", *words])

    return run


def test_the_command_writes_files_and_names_them(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a scenario's file and of a lone fault; what is printed is what is there."""
    (tmp_path / "isolated.toml").write_text(Scenario.of(ISOLATED).to_toml())
    assert command("isolated.toml", "lambda_throttled", "--account", "123456789012", "--tag", "a=b") == 0
    said = capsys.readouterr().out.splitlines()
    paths = [line for line in said if not line.startswith("note: ")]
    assert sorted(paths) == sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "fis").iterdir())
    template = json.loads((tmp_path / "fis/isolated.template.json").read_text())
    refuse_what_aws_would(template, "isolated")
    assert "note: lambda_throttled: fill in <FIS CONFIGURATION BUCKET>" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("region_lost",), "FIS has no action for region_lost: none takes a region away"),
        (("region_list",), "neither a TOML file nor a fault: did you mean region_lost?"),
        (("absent.toml",), "is not there"),
        (("subnets_isolated", "--account", "12"), "--account 12 is no AWS account"),
        (("subnets_isolated", "--tag", "a"), "--tag a is no tag: give KEY=VALUE"),
        (("subnets_isolated", "--lasts", "3"), "is 3 s, and FIS takes one minute"),
        (("subnets_isolated", "region_lost"), "FIS has no action for region_lost"),
    ],
)
def test_the_command_refuses_in_a_line_and_writes_nothing(
    command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    """Status 2, also where another scenario could have been written."""
    assert command("--account", "123456789012", "--tag", "a=b", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
