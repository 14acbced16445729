"""The rules by which an alarm decides, against the tables of the CloudWatch user guide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra_fixtures.data_plane.cloudwatch.alarm import Alarm, NotEvaluated, read_alarm
from infra_fixtures.data_plane.cloudwatch.evaluation import evaluate

ALARM = read_alarm(
    {
        "AlarmName": "a",
        "AlarmArn": "arn:aws:cloudwatch:us-west-2:123456789012:alarm:a",
        "Namespace": "N",
        "MetricName": "M",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
)
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
KEPT = "(kept)"

# Oldest datum first: X breaches, 0 does not, - is missing. Then the state for each of TREATMENTS.
THREE_OF_THREE = [
    ("0-X-X", ("OK", "OK", "OK", "OK")),
    ("0----", ("OK", "OK", "OK", "OK")),
    ("-----", ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK")),
    ("0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("--X--", ("ALARM", KEPT, "ALARM", "OK")),
]
TWO_OF_THREE = [
    ("0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0-X--", ("OK", "OK", "ALARM", "OK")),
    ("----0", ("OK", "OK", "ALARM", "OK")),
    ("---X-", ("ALARM", KEPT, "ALARM", "OK")),
]
CASES = [
    (least, points, treatment, state)
    for least, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, states in table
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


def alarm(least: int, missing: str) -> Alarm:
    """An alarm at 1 and above, `least` of 3."""
    return replace(ALARM, datapoints_to_alarm=least, missing=missing)


def points(picture: str) -> list[float | None]:
    """A row of the tables as data."""
    return [{"X": 1.0, "0": 0.0, "-": None}[c] for c in picture]


@pytest.mark.parametrize(("least", "picture", "missing", "state"), CASES)
def test_missing_data_as_the_user_guide_s_tables_have_it(least: int, picture: str, missing: str, state: str) -> None:
    """Each cell of both tables, from each state the alarm may be in."""
    for current in ("OK", "ALARM", "INSUFFICIENT_DATA"):
        decision = evaluate(alarm(least, missing), points(picture), current)
        assert decision.state == (current if state == KEPT else state)


@pytest.mark.parametrize(
    ("comparison", "value", "breaches"),
    [
        ("GreaterThanThreshold", 1.0, False),
        ("GreaterThanOrEqualToThreshold", 1.0, True),
        ("LessThanThreshold", 1.0, False),
        ("LessThanOrEqualToThreshold", 1.0, True),
        ("LessThanThreshold", 0.5, True),
    ],
)
def test_the_threshold_itself_breaches_only_where_the_operator_says_so(
    comparison: str, value: float, breaches: bool
) -> None:
    """All four operators at the threshold."""
    one = replace(ALARM, evaluation_periods=1, datapoints_to_alarm=1, comparison=comparison)
    assert evaluate(one, [None, None, value], "OK").state == ("ALARM" if breaches else "OK")


def test_the_reason_says_what_was_seen() -> None:
    """StateReason names the data, the threshold and how missing data were treated."""
    assert "3 datapoints [1.0, 1.0, 1.0] were greater than or equal to the threshold (1.0)" in (
        evaluate(alarm(3, "missing"), points("00XXX"), "OK").reason
    )
    assert "no datapoints were received for 3 periods" in evaluate(alarm(3, "breaching"), points("-----"), "OK").reason


def test_an_alarm_on_an_expression_is_refused_by_name() -> None:
    """What is not evaluated says so instead of being OK for ever."""
    found = {"AlarmName": "sum", "EvaluationPeriods": 1, "Metrics": [{"Id": "e", "Expression": "a+b"}]}
    with pytest.raises(NotEvaluated, match="alarm sum is on an expression"):
        read_alarm(found)
