"""The life of an experiment: order, targets, what stops it, and that nothing of it is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from drill.wait import wait_until
from infra_fixtures.internal_api.admin import set_region
from infra_fixtures.processes.events import read_events
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient, planned_layout, run_control_plane
from tests.infra_fixtures.control_plane.fis.conftest import TRUST, WAIT, Experiments, refused, role_for, states

LONG = {"actionId": "aws:fis:wait", "parameters": {"duration": "PT12H"}}
TAGGED = {"resourceType": "aws:ec2:subnet", "resourceTags": {"break": "me"}, "selectionMode": "ALL"}


def disrupt(duration: str = "PT1M", scope: str = "all") -> dict[str, Any]:
    """The action on the target `subnets`."""
    return {
        "actionId": "aws:network:disrupt-connectivity",
        "parameters": {"duration": duration, "scope": scope},
        "targets": {"Subnets": "subnets"},
    }


@pytest.fixture(scope="module")
def ec2(aws_client: AwsClient) -> Any:
    """EC2, with one subnet that carries the tag."""
    client = aws_client("ec2")
    subnets = sorted(client.describe_subnets()["Subnets"], key=lambda s: s["CidrBlock"])
    client.create_tags(Resources=[subnets[0]["SubnetId"]], Tags=[{"Key": "break", "Value": "me"}])
    return client


def network(ec2: Any) -> Any:
    """All ACLs: their entries, and whose they are; ids of associations change and mean nothing."""
    return {
        acl["NetworkAclId"]: (acl["Entries"], sorted(a["SubnetId"] for a in acl["Associations"]))
        for acl in ec2.describe_network_acls()["NetworkAcls"]
    }


def test_actions_run_in_their_order(experiments: Experiments) -> None:
    """One that starts after another begins when that has ended; the experiment completes when all have."""
    started = experiments.start({"first": WAIT, "second": {**WAIT, "startAfter": ["first"]}, "beside": WAIT})
    ended = experiments.ended(started)
    assert ended["state"]["status"] == "completed"
    first, second, beside = (ended["actions"][n] for n in ("first", "second", "beside"))
    assert second["startTime"] >= first["endTime"]
    assert beside["startTime"] < first["endTime"]
    assert 0.59 <= (first["endTime"] - first["startTime"]).total_seconds() < 2
    assert ended["endTime"] >= second["endTime"]


def test_disrupted_and_put_back(experiments: Experiments, ec2: Any, control_plane: RunLayout) -> None:
    """While it runs the tagged subnet has a clone that denies all; afterwards all is as before. Calls are the role's."""
    before = network(ec2)
    started = experiments.start({"cut": disrupt()}, {"subnets": TAGGED})
    wait_until(lambda: len(network(ec2)) > len(before), what="the clone", timeout_s=5)
    wait_until(lambda: any(v[1] for k, v in network(ec2).items() if k not in before), what="its subnet", timeout_s=5)
    (clone,) = [a for a in ec2.describe_network_acls()["NetworkAcls"] if a["NetworkAclId"] not in before]
    denied = [e for e in clone["Entries"] if e["RuleAction"] == "deny" and e["CidrBlock"] == "0.0.0.0/0"]
    assert {e["Egress"] for e in denied if e["RuleNumber"] == 1} == {True, False}
    assert {"Key": "managedByFIS", "Value": "true"} in clone["Tags"]
    assert experiments.ended(started)["state"]["status"] == "completed"
    assert network(ec2) == before
    resolved = experiments.fis.list_experiment_resolved_targets(experimentId=started)["resolvedTargets"]
    assert [r["targetName"] for r in resolved] == ["subnets"]
    assert resolved[0]["targetInformation"]["arn"].endswith(clone["Associations"][0]["SubnetId"])
    calls = [e for e in read_events(Path(control_plane.work_dir) / "fis.events.jsonl") if e.event == "fis.call"]
    made = [e.detail for e in calls if e.subject == f"{started}/cut"]
    assert f"{experiments.role} ec2:replace_network_acl_association us-east-1" in made


@pytest.mark.parametrize("scope", ["availability-zone", "vpc"])
def test_other_scopes_leave_the_rest(experiments: Experiments, ec2: Any, scope: str) -> None:
    """availability-zone denies the subnets of other zones by name; vpc keeps only what is inside the VPC."""
    before = network(ec2)
    started = experiments.start({"cut": disrupt("PT10M", scope)}, {"subnets": TAGGED})
    wait_until(lambda: any(v[1] for k, v in network(ec2).items() if k not in before), what="the clone", timeout_s=5)
    (clone,) = [a for a in ec2.describe_network_acls()["NetworkAcls"] if a["NetworkAclId"] not in before]
    subnets = {s["SubnetId"]: s for s in ec2.describe_subnets()["Subnets"]}
    own = subnets[clone["Associations"][0]["SubnetId"]]
    denied = {e["CidrBlock"] for e in clone["Entries"] if e["RuleAction"] == "deny" and e["RuleNumber"] < 1000}
    allowed = {e["CidrBlock"] for e in clone["Entries"] if e["RuleAction"] == "allow"}
    if scope == "vpc":
        vpc = ec2.describe_vpcs(VpcIds=[own["VpcId"]])["Vpcs"][0]
        assert (denied, allowed) == (set(), {vpc["CidrBlock"]})
    else:
        others = [s for s in subnets.values() if s["AvailabilityZone"] != own["AvailabilityZone"]]
        assert denied == {s["CidrBlock"] for s in others if s["VpcId"] == own["VpcId"]}
        assert allowed == {"0.0.0.0/0"}
    experiments.fis.stop_experiment(id=started)
    assert experiments.ended(started)["state"]["status"] == "stopped"
    assert network(ec2) == before


def test_stopped_it_is_undone(experiments: Experiments, ec2: Any) -> None:
    """StopExperiment ends the action early and puts all back; what had not begun is cancelled; a second stop is refused."""
    before = network(ec2)
    started = experiments.start({"cut": disrupt("PT12H"), "then": {**WAIT, "startAfter": ["cut"]}}, {"subnets": TAGGED})
    wait_until(lambda: network(ec2) != before, what="the clone", timeout_s=5)
    experiments.fis.stop_experiment(id=started)
    ended = experiments.ended(started)
    assert ended["state"]["status"] == "stopped"
    assert "StopExperiment" in ended["state"]["reason"]
    assert states(ended) == {"cut": "stopped", "then": "cancelled"}
    assert network(ec2) == before
    refused(lambda: experiments.fis.stop_experiment(id=started), "ValidationException", "cannot be stopped")


def test_an_alarm_stops_it(experiments: Experiments, aws_client: AwsClient, ec2: Any) -> None:
    """A stop condition that goes into ALARM ends the experiment and undoes; the reason names the alarm."""
    before = network(ec2)
    cloudwatch = aws_client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="enough", Namespace="T", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="enough", StateValue="OK", StateReason="before")
    alarm = cloudwatch.describe_alarms(AlarmNames=["enough"])["MetricAlarms"][0]["AlarmArn"]
    started = experiments.start(
        {"cut": disrupt("PT12H")},
        {"subnets": TAGGED},
        stopConditions=[{"source": "aws:cloudwatch:alarm", "value": alarm}],
    )
    wait_until(lambda: network(ec2) != before, what="the clone", timeout_s=5)
    cloudwatch.set_alarm_state(AlarmName="enough", StateValue="ALARM", StateReason="enough")
    ended = experiments.ended(started)
    assert ended["state"]["status"] == "stopped"
    assert alarm in ended["state"]["reason"]
    assert network(ec2) == before


def test_an_alarm_keeps_it_from_beginning(experiments: Experiments, aws_client: AwsClient, ec2: Any) -> None:
    """In ALARM already, nothing is done; one that does not exist fails the experiment."""
    before = network(ec2)
    cloudwatch = aws_client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="already", Namespace="T", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="already", StateValue="ALARM", StateReason="before")
    arn = cloudwatch.describe_alarms(AlarmNames=["already"])["MetricAlarms"][0]["AlarmArn"]
    for value, status in ((arn, "stopped"), (f"{arn}-not", "failed")):
        stop = [{"source": "aws:cloudwatch:alarm", "value": value}]
        ended = experiments.ended(experiments.start({"cut": disrupt()}, {"subnets": TAGGED}, stopConditions=stop))
        assert (ended["state"]["status"], states(ended)) == (status, {"cut": "cancelled"})
        assert value in ended["state"]["reason"]
    assert network(ec2) == before


def test_the_safety_lever_stops_and_prevents(experiments: Experiments) -> None:
    """Engaged it stops what runs and cancels what is started; its reason changes with its status alone."""
    fis = experiments.fis
    running = experiments.start({"wait": LONG})
    experiments.reaches(running, {"running"})
    fis.update_safety_lever_state(id="default", state={"status": "engaged", "reason": "holiday"})
    try:
        assert experiments.ended(running)["state"]["status"] == "stopped"
        prevented = experiments.get(experiments.start({"wait": LONG}))
        assert (prevented["state"]["status"], states(prevented)) == ("cancelled", {"wait": "cancelled"})
        refused(
            lambda: fis.update_safety_lever_state(id="default", state={"status": "engaged", "reason": "storm"}),
            "ConflictException",
            "with its status",
        )
        assert fis.get_safety_lever(id="default")["safetyLever"]["state"] == {"status": "engaged", "reason": "holiday"}
    finally:
        fis.update_safety_lever_state(id="default", state={"status": "disengaged", "reason": "back"})
    refused(lambda: fis.get_safety_lever(id="other"), "ResourceNotFoundException", "other")


def test_without_targets(experiments: Experiments) -> None:
    """Empty fails the experiment, unless it is to be skipped: then it completes, and the action says that it was skipped."""
    nothing = {"subnets": {**TAGGED, "resourceTags": {"break": "nobody"}}}
    failed = experiments.ended(experiments.start({"cut": disrupt(), "wait": WAIT}, nothing))
    assert (failed["state"]["status"], states(failed)["wait"]) == ("failed", "cancelled")
    assert "empty set" in failed["state"]["reason"]
    skip = {"emptyTargetResolutionMode": "skip"}
    skipped = experiments.ended(experiments.start({"cut": disrupt(), "wait": WAIT}, nothing, experimentOptions=skip))
    assert skipped["state"]["status"] == "completed"
    assert states(skipped) == {"cut": "skipped", "wait": "completed"}


def test_skip_all_previews(experiments: Experiments, ec2: Any) -> None:
    """actionsMode skip-all resolves the targets and does nothing."""
    before = network(ec2)
    template = experiments.template({"cut": disrupt()}, {"subnets": TAGGED})
    options = {"actionsMode": "skip-all"}
    started = experiments.fis.start_experiment(experimentTemplateId=template, experimentOptions=options)["experiment"]
    ended = experiments.ended(started["id"])
    assert (ended["state"]["status"], states(ended)) == ("completed", {"cut": "skipped"})
    assert experiments.fis.list_experiment_resolved_targets(experimentId=started["id"])["resolvedTargets"]
    assert network(ec2) == before


def test_selection_and_filters(experiments: Experiments, ec2: Any) -> None:
    """Filters and parameters narrow down, ARNs name, modes count and round down."""
    subnets = ec2.describe_subnets()["Subnets"]
    zone, vpc = subnets[0]["AvailabilityZone"], subnets[0]["VpcId"]
    in_zone = [s["SubnetArn"] for s in subnets if s["AvailabilityZone"] == zone]
    everything = {"resourceType": "aws:ec2:subnet", "parameters": {"vpc": vpc}, "selectionMode": "ALL"}

    def resolved(**target: Any) -> list[str]:
        template = experiments.template({"cut": disrupt()}, {"subnets": {**everything, **target}})
        asked = {"experimentTemplateId": template, "experimentOptions": {"actionsMode": "skip-all"}}
        started = experiments.fis.start_experiment(**asked)["experiment"]["id"]
        experiments.ended(started)
        found = experiments.fis.list_experiment_resolved_targets(experimentId=started)["resolvedTargets"]
        return sorted(r["targetInformation"]["arn"] for r in found)

    assert len(resolved()) == len(subnets)
    assert resolved(filters=[{"path": "AvailabilityZone", "values": [zone]}]) == sorted(in_zone)
    assert resolved(parameters={"vpc": vpc, "availabilityZoneIdentifier": zone}) == sorted(in_zone)
    assert resolved(parameters={}, resourceArns=[in_zone[0]]) == [in_zone[0]]
    assert len(resolved(selectionMode="COUNT(2)")) == 2
    assert len(resolved(selectionMode="PERCENT(50)")) == len(subnets) // 2


def test_a_role_must_trust_fis(experiments: Experiments, aws_client: AwsClient) -> None:
    """A role that is not there, or trusts others, fails the experiment; so does a condition on another account."""
    iam = aws_client("iam")
    other = json.loads(json.dumps(TRUST).replace("fis.amazonaws.com", "lambda.amazonaws.com"))
    account = json.loads(json.dumps(TRUST))
    account["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": "999999999999"}}
    for name, trust in (("lambdas", other), ("strangers", account)):
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        ended = experiments.ended(experiments.start({"a": WAIT}, roleArn=arn))
        assert ended["state"]["status"] == "failed"
        assert "its trust policy does not allow" in ended["state"]["reason"]
    ended = experiments.ended(experiments.start({"a": WAIT}, roleArn="arn:aws:iam::123456789012:role/nobody"))
    assert "Unable to assume role" in ended["state"]["reason"]


def test_five_at_most(experiments: Experiments) -> None:
    """A sixth active experiment is refused; the same token starts no second one."""
    template = experiments.template({"wait": LONG})
    fis = experiments.fis
    same = {"experimentTemplateId": template, "clientToken": "one"}
    started = [fis.start_experiment(**same)["experiment"]["id"] for _ in range(2)]
    assert started[0] == started[1]
    started += [fis.start_experiment(experimentTemplateId=template)["experiment"]["id"] for _ in range(4)]
    refused(lambda: fis.start_experiment(experimentTemplateId=template), "ServiceQuotaExceededException", "5 active")
    assert len(fis.list_experiments(experimentTemplateId=template)["experiments"]) == 5
    for experiment in set(started):
        fis.stop_experiment(id=experiment)
    for experiment in set(started):
        assert experiments.ended(experiment)["state"]["status"] == "stopped"


def test_a_lost_region_takes_its_fis_with_it(
    experiments: Experiments, ec2: Any, aws_client: AwsClient, control_plane: RunLayout
) -> None:
    """What ends while the region is lost is put back once it is there again; the other region's FIS goes on."""
    before = network(ec2)
    started = experiments.start({"cut": disrupt()}, {"subnets": TAGGED})
    wait_until(lambda: any(v[1] for k, v in network(ec2).items() if k not in before), what="the clone", timeout_s=5)
    set_region(control_plane, "us-east-1", False)
    try:
        there = Experiments(aws_client("fis", "us-west-2"), experiments.role)
        assert (
            there.ended(there.start({"a": WAIT}))["state"]["status"] == "completed"
        )  # longer than the cut was to last
        inside = aws_client("ec2", "us-east-1", control_plane.internal.url)
        assert network(inside) != before
    finally:
        set_region(control_plane, "us-east-1", True)
    assert experiments.ended(started)["state"]["status"] == "completed"
    assert network(ec2) == before


def test_the_end_of_the_run_undoes_what_runs() -> None:
    """SIGTERM of the control plane stops experiments first: the last calls give the subnet its ACL, and delete the clone."""
    with planned_layout() as layout:
        for running in run_control_plane(layout):
            _cut(running)
        events = read_events(Path(layout.work_dir) / "fis.events.jsonl")
    assert events[-1].detail == "stopped: The run ends."
    calls = [e.detail.split()[1] for e in events if e.event == "fis.call"]
    assert [c for c in calls if "describe" not in c][-2:] == [
        "ec2:replace_network_acl_association",
        "ec2:delete_network_acl",
    ]


def _cut(running: RunLayout) -> None:
    """Start an experiment that cuts a subnet off for hours, and wait until it has."""
    key = running.credentials.user

    def client(service: str) -> Any:
        return boto3.session.Session().client(
            service, region_name="us-east-1", endpoint_url=running.primary.aws.url, aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
        )  # fmt: skip

    made = role_for(client("iam"), "fis", TRUST)
    ec2 = client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "break", "Value": "me"}])
    before = network(ec2)
    Experiments(client("fis"), made).start({"cut": disrupt("PT12H")}, {"subnets": TAGGED})
    wait_until(lambda: any(v[1] for k, v in network(ec2).items() if k not in before), what="the clone", timeout_s=5)
