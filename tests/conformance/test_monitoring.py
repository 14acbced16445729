"""CloudWatch, SNS, EventBridge, Logs: what notices a failure and tells of it."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import pytest

from tests.conformance.backends import PRIMARY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused


@pytest.fixture
def cloudwatch(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("cloudwatch")


@pytest.fixture
def alarm(cloudwatch: Any, unique: Names) -> str:
    """A fresh alarm's name."""
    cloudwatch.put_metric_alarm(
        AlarmName=unique("unhealthy"),
        Namespace=unique("Drill"),
        MetricName="Healthy",
        Statistic="Minimum",
        Period=10,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        ActionsEnabled=False,
    )
    return unique("unhealthy")


def _alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    return dict(cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0])


def test_an_alarm_is_described_as_put(cloudwatch: Any, alarm: str) -> None:
    """M of N and how missing data counts."""
    found = _alarm(cloudwatch, alarm)
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (3, 2)
    assert (found["TreatMissingData"], found["ActionsEnabled"]) == ("breaching", False)


def test_an_alarm_s_actions_can_be_armed_and_disarmed(cloudwatch: Any, alarm: str) -> None:
    """A disarmed alarm is a fault of its own: nobody fails over."""
    cloudwatch.enable_alarm_actions(AlarmNames=[alarm])
    assert _alarm(cloudwatch, alarm)["ActionsEnabled"] is True
    cloudwatch.disable_alarm_actions(AlarmNames=[alarm])
    assert _alarm(cloudwatch, alarm)["ActionsEnabled"] is False


def test_an_alarm_s_state_can_be_set_by_hand(cloudwatch: Any, alarm: str) -> None:
    """With the reason given."""
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="drill")
    found = _alarm(cloudwatch, alarm)
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "drill")


def test_a_metric_put_is_read(cloudwatch: Any, unique: Names) -> None:
    """Sum and count over the period it falls into."""
    now = dt.datetime.now(dt.UTC)
    data = [{"MetricName": "Orders", "Value": v, "Timestamp": now} for v in (2.0, 3.0)]
    cloudwatch.put_metric_data(Namespace=unique("Drill"), MetricData=data)
    found = cloudwatch.get_metric_statistics(
        Namespace=unique("Drill"),
        MetricName="Orders",
        StartTime=now - dt.timedelta(minutes=5),
        EndTime=now + dt.timedelta(minutes=5),
        Period=300,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert (sum(d["Sum"] for d in found), sum(d["SampleCount"] for d in found)) == (5.0, 2.0)


def test_a_topic_knows_its_subscribers(aws: Backend, unique: Names) -> None:
    """The failover controller among them."""
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("failover"))["TopicArn"]
    function = f"arn:aws:lambda:{PRIMARY}:000000000000:function:controller"
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    [found] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (found["Protocol"], found["Endpoint"]) == ("lambda", function)


def test_a_rule_disabled_is_described_so(aws: Backend, unique: Names) -> None:
    """A canary that no longer runs, and runs again."""
    events = aws.client("events")
    events.put_rule(Name=unique("canary"), ScheduleExpression="rate(1 minute)", State="ENABLED")
    events.disable_rule(Name=unique("canary"))
    assert events.describe_rule(Name=unique("canary"))["State"] == "DISABLED"
    events.enable_rule(Name=unique("canary"))
    assert events.describe_rule(Name=unique("canary"))["State"] == "ENABLED"


def test_a_rule_keeps_its_target_and_input(aws: Backend, unique: Names) -> None:
    """Which function is started, with what."""
    events = aws.client("events")
    events.put_rule(Name=unique("canary"), ScheduleExpression="rate(1 minute)")
    target = {"Id": "1", "Arn": f"arn:aws:lambda:{PRIMARY}:000000000000:function:canary", "Input": '{"a": 1}'}
    events.put_targets(Rule=unique("canary"), Targets=[target])
    assert events.list_targets_by_rule(Rule=unique("canary"))["Targets"] == [target]


def test_a_log_group_is_made_once_and_keeps_its_retention(aws: Backend, unique: Names) -> None:
    """The second is refused."""
    logs, group = aws.client("logs"), f"/aws/lambda/{unique('orders')}"
    logs.create_log_group(logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    with refused("ResourceAlreadyExistsException"):
        logs.create_log_group(logGroupName=group)
    [found] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7


def test_log_events_are_read_in_order(aws: Backend, unique: Names) -> None:
    """What a function said."""
    logs, group = aws.client("logs"), f"/aws/lambda/{unique('orders')}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="1")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + i, "message": f"line {i}"} for i in range(3)]
    logs.put_log_events(logGroupName=group, logStreamName="1", logEvents=events)
    found = logs.get_log_events(logGroupName=group, logStreamName="1", startFromHead=True)["events"]
    assert [e["message"] for e in found] == ["line 0", "line 1", "line 2"]
