"""aws:cloudwatch:assert-alarm-state passes, and fails."""

from __future__ import annotations

import pytest

from tests.infra_fixtures.conftest import AwsClient
from tests.infra_fixtures.control_plane.fis.conftest import Experiments, states

ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:asserted"


@pytest.mark.parametrize(
    ("alarms", "wanted", "state", "words"),
    [
        (ARN, "OK", "completed", ""),
        (ARN, "ALARM, INSUFFICIENT_DATA", "failed", "is OK, not ALARM or INSUFFICIENT_DATA"),
        (f"{ARN}-not", "OK", "failed", "does not exist"),
        (",".join([ARN] * 6), "OK", "failed", "6 alarms were given"),
        (ARN, "FINE", "failed", "FINE are not states"),
    ],
)
def test_alarms_are_as_asserted_or_not(
    experiments: Experiments, aws_client: AwsClient, alarms: str, wanted: str, state: str, words: str
) -> None:
    """The reason of a failure names the alarm and its state."""
    cloudwatch = aws_client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="asserted", Namespace="T", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="asserted", StateValue="OK", StateReason="a test")
    asserting = {
        "actionId": "aws:cloudwatch:assert-alarm-state",
        "parameters": {"alarmArns": alarms, "alarmStates": wanted},
    }
    ended = experiments.ended(experiments.start({"assert": asserting}))
    assert (ended["state"]["status"], states(ended)) == (state, {"assert": state})
    assert words in ended["state"]["reason"]
