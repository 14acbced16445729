"""What an alarm says when it fires: the message CloudWatch gives SNS, and the event SNS gives a Lambda function.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html and, for functions that an
alarm calls directly, https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from infra_fixtures.data_plane.cloudwatch.alarm import ACTIONS, Alarm

REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}
LONGEST_SUBJECT = 100


class Transition(msgspec.Struct, frozen=True, tag_field="kind", tag="transition"):
    """An alarm changed state at `at` (Unix time in seconds)."""

    alarm: str
    old: str
    new: str
    reason: str
    at: float


def alarm_message(alarm: Alarm, transition: Transition, region: str) -> dict[str, Any]:
    """The message of an alarm to its topic."""
    namespace, metric, dimensions = alarm.metric
    percentile = alarm.statistic.startswith("p")
    statistic = (
        {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": alarm.statistic}
        if percentile
        else {"StatisticType": "Statistic", "Statistic": _upper_snake_case(alarm.statistic)}
    )
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": alarm.arn.split(":")[4],
        "AlarmConfigurationUpdatedTimestamp": alarm.updated,
        "NewStateValue": transition.new,
        "NewStateReason": transition.reason,
        "StateChangeTime": _stamp(transition.at, "+0000"),
        "Region": REGION_NAMES.get(region, region),
        "AlarmArn": alarm.arn,
        "OldStateValue": transition.old,
        **{ACTIONS[state]: list(alarm.actions_for(state)) for state in ("OK", "ALARM", "INSUFFICIENT_DATA")},
        "Trigger": {
            "MetricName": metric,
            "Namespace": namespace,
            **statistic,
            "Unit": alarm.unit,
            "Dimensions": [{"value": value, "name": name} for name, value in dimensions],
            "Period": alarm.period_s,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm,
            "ComparisonOperator": alarm.comparison,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.missing,
            "EvaluateLowSampleCountPercentile": alarm.low_samples,
        },
    }


def alarm_subject(transition: Transition, region: str) -> str:
    """The subject of an alarm's message; SNS takes a hundred characters."""
    return f'{transition.new}: "{transition.alarm}" in {REGION_NAMES.get(region, region)}'[:LONGEST_SUBJECT]


def sns_event(topic: str, subscription: str, subject: str, message: str, at: float) -> bytes:
    """The event a function gets for one message to a topic it is subscribed to."""
    region = topic.split(":")[3]
    host = f"https://sns.{region}.amazonaws.com"
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": {
            "Type": "Notification",
            "MessageId": str(uuid.uuid4()),
            "TopicArn": topic,
            "Subject": subject,
            "Message": message,
            "Timestamp": _stamp(at, "Z"),
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertUrl": f"{host}/SimpleNotificationService-0000000000000000000000.pem",
            "UnsubscribeUrl": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription}",
            "MessageAttributes": {},
        },
    }
    return json.dumps({"Records": [record]}).encode()


def lambda_event(alarm: Alarm, transition: Transition, region: str) -> bytes:
    """The event of a function that stands among an alarm's actions itself."""
    namespace, metric, dimensions = alarm.metric
    stat = {
        "metric": {"namespace": namespace, "name": metric, "dimensions": dict(dimensions)},
        "period": alarm.period_s,
        "stat": alarm.statistic,
    }
    at = _stamp(transition.at, "+0000")
    return json.dumps(
        {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.arn,
            "accountId": alarm.arn.split(":")[4],
            "time": at,
            "region": region,
            "alarmData": {
                "alarmName": alarm.name,
                "state": {"value": transition.new, "reason": transition.reason, "timestamp": at},
                "previousState": {"value": transition.old},
                "configuration": {
                    "description": alarm.description,
                    "metrics": [{"id": str(uuid.uuid4()), "metricStat": stat, "returnData": True}],
                },
            },
        }
    ).encode()


def _upper_snake_case(statistic: str) -> str:
    """SampleCount is SAMPLE_COUNT in the message."""
    return {"SampleCount": "SAMPLE_COUNT"}.get(statistic, statistic.upper())


def _stamp(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + zone
