"""The monitoring layer: log groups, alarms, the topic that fires the failover controller, the rule that runs the canary.

The failover alarm is made disarmed: its missing data is breaching, so it goes off before the canary's first report, and is
armed by `arm` after that. An alarm acts when its state changes to ALARM, not while it stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drill.wait import wait_until
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.compute import limit_retries, permit
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import RegionPlan, Topology

SNS, EVENTS = "sns.amazonaws.com", "events.amazonaws.com"
FAILOVER_ALARM = "primary-unhealthy"
TARGET = "canary"
ARMED_WITHIN_S = 180.0
LAG_ALARM_MS = 5000


def log_groups(logs: Any, topology: Topology, names: Names, functions: Iterable[str]) -> tuple[str, ...]:
    """A log group for each function, with a retention; their names."""
    groups = tuple(names.log_group(f) for f in functions)
    for group in groups:
        made = ignore_errors(
            "ResourceAlreadyExistsException", logs.create_log_group, logGroupName=group, tags=names.tags("log")
        )
        if made is not None:
            logs.put_retention_policy(logGroupName=group, retentionInDays=topology.log_retention_days)
    return groups


def topic(sns: Any, lambda_: Any, names: Names, controller_arn: str) -> str:
    """The topic whose one subscriber is the failover controller; its ARN."""
    arn = str(sns.create_topic(Name=names.of("failover"), Tags=names.tag_list("failover"))["TopicArn"])
    subscribed = {s["Endpoint"] for s in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]}
    if controller_arn not in subscribed:
        sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=controller_arn)
    permit(lambda_, names.controller, "sns", SNS, arn)
    return arn


def canary_rule(events: Any, lambda_: Any, topology: Topology, names: Names, canary_arn: str) -> str:
    """The rule that starts the canary on its schedule; its name. A late start is worth nothing, so none is retried."""
    name = names.of("canary")
    existing = ignore_errors("ResourceNotFoundException", events.describe_rule, Name=name)
    if existing is None:
        existing = {"Arn": events.put_rule(
            Name=name, ScheduleExpression=topology.canary.schedule, State="ENABLED", Tags=names.tag_list("canary")
        )["RuleArn"]}  # fmt: skip
    limit_retries(lambda_, names.canary, attempts=0, most_age_s=60)
    permit(lambda_, names.canary, "events", EVENTS, str(existing["Arn"]))
    if not events.list_targets_by_rule(Rule=name)["Targets"]:
        events.put_targets(Rule=name, Targets=[{"Id": TARGET, "Arn": canary_arn, "Input": "{}"}])
    return name


def failover_alarm(cloudwatch: Any, topology: Topology, names: Names, topic_arn: str) -> str:
    """The alarm on the canary's metric, disarmed; its name."""
    canary, name = topology.canary, names.of(FAILOVER_ALARM)
    _put_alarms(
        cloudwatch,
        names,
        {
            "AlarmName": name,
            "AlarmDescription": "The primary's deep health fails as seen from the standby",
            "Namespace": canary.namespace,
            "MetricName": canary.metric,
            "Dimensions": [{"Name": "Run", "Value": names.run_id}],
            "Statistic": "Minimum",
            "Period": canary.alarm_period_s,
            "EvaluationPeriods": canary.alarm_periods,
            "DatapointsToAlarm": canary.alarm_periods,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
            "ActionsEnabled": False,
            "AlarmActions": [topic_arn],
        },
    )
    return name


def alarms(cloudwatch: Any, plan: RegionPlan, names: Names) -> tuple[str, ...]:
    """The region's own alarms, which tell people and start nothing; their names."""
    function = [{"Name": "FunctionName", "Value": names.orders}]
    cluster = [{"Name": "DBClusterIdentifier", "Value": names.cluster(plan.name)}]
    desired = [
        _alarm(names, "api-5xx", "AWS/ApiGateway", "5XXError", [{"Name": "ApiName", "Value": names.orders}], 5.0),
        _alarm(names, "orders-errors", "AWS/Lambda", "Errors", function, 5.0),
        _alarm(names, "orders-throttles", "AWS/Lambda", "Throttles", function, 5.0),
        {
            **_alarm(names, "database-lag", "AWS/RDS", "AuroraGlobalDBReplicationLag", cluster, LAG_ALARM_MS),
            "Statistic": "Maximum",
        },
    ]
    _put_alarms(cloudwatch, names, *desired)
    return tuple(str(a["AlarmName"]) for a in desired)


def arm(cloudwatch: Any, lambda_: Any, names: Names, alarm: str, healthy: Callable[[], bool]) -> None:
    """Start the canary once by hand and let the failover alarm act, after it went off for want of data; WaitTimeout.

    `healthy` says whether the primary is well: the report of a canary that came too early would stand for a period. The
    alarm is OK a period after the first report.
    """
    if _states(cloudwatch, [alarm])[alarm]["ActionsEnabled"]:
        return
    wait_until(healthy, what="the primary to be healthy", timeout_s=ARMED_WITHIN_S, every_s=0.05)
    retry_while(
        "ResourceNotFoundException",
        lambda_.invoke,
        what=f"{names.canary} to be there",
        timeout_s=ARMED_WITHIN_S,
        every_s=0.1,
        FunctionName=names.canary,
        InvocationType="Event",
        Payload=b"{}",
    )
    wait_until(
        lambda: _states(cloudwatch, [alarm])[alarm]["StateValue"] != "INSUFFICIENT_DATA",
        what=f"the alarm {alarm} to be evaluated",
        timeout_s=ARMED_WITHIN_S,
        every_s=0.1,
    )
    cloudwatch.enable_alarm_actions(AlarmNames=[alarm])


def tear_down_alarms(cloudwatch: Any, names: Names) -> None:
    """Delete the region's alarms."""
    found = cloudwatch.describe_alarms(AlarmNamePrefix=names.prefix)["MetricAlarms"]
    if found:
        cloudwatch.delete_alarms(AlarmNames=[a["AlarmName"] for a in found])


def tear_down_rule(events: Any, names: Names) -> None:
    """Delete the rule that starts the canary."""
    rule = names.of("canary")
    if ignore_errors("ResourceNotFoundException", events.describe_rule, Name=rule) is not None:
        events.remove_targets(Rule=rule, Ids=[TARGET])
        events.delete_rule(Name=rule)


def tear_down_topic(sns: Any, names: Names) -> None:
    """Delete the alarm's topic with its subscriptions."""
    for page in sns.get_paginator("list_topics").paginate():
        for arn in (str(t["TopicArn"]) for t in page["Topics"]):
            if arn.endswith(f":{names.of('failover')}"):
                for subscription in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
                sns.delete_topic(TopicArn=arn)


def tear_down_logs(logs: Any, names: Names, functions: Iterable[str]) -> None:
    """Delete the functions' log groups."""
    for function in functions:
        ignore_errors("ResourceNotFoundException", logs.delete_log_group, logGroupName=names.log_group(function))


def _alarm(
    names: Names, part: str, namespace: str, metric: str, dimensions: list[dict[str, str]], threshold: float
) -> dict[str, Any]:
    return {
        "AlarmName": names.of(part),
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": dimensions,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }


def _put_alarms(cloudwatch: Any, names: Names, *desired: dict[str, Any]) -> None:
    """Put those that are not there: putting an alarm again would disarm it."""
    existing = _states(cloudwatch, [str(a["AlarmName"]) for a in desired])
    for alarm in desired:
        if alarm["AlarmName"] not in existing:
            cloudwatch.put_metric_alarm(**alarm, Tags=names.tag_list("alarm"))


def _states(cloudwatch: Any, alarms: list[str]) -> dict[str, dict[str, Any]]:
    return {a["AlarmName"]: a for a in cloudwatch.describe_alarms(AlarmNames=alarms)["MetricAlarms"]}
