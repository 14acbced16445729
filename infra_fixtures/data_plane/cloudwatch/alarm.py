"""A metric alarm as the API holds it: what it looks at, when it fires, and what it does then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
MINUTE_S = 60
SHORTEST_STEP_S = 10

Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""A metric: namespace, name, dimensions in order of their names."""


class NotEvaluated(Exception):
    """An alarm of a kind this evaluator does not know; the sentence says which."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; periods are the API's (unpaced). `statistic` is Sum, Average, ... or a percentile such as p99."""

    name: str
    arn: str
    description: str | None
    metric: Key
    statistic: str
    unit: str | None
    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    comparison: str
    threshold: float
    missing: str
    low_samples: str
    actions_enabled: bool
    actions: tuple[tuple[str, tuple[str, ...]], ...]
    updated: str

    @property
    def step_s(self) -> int:
        """How often it is evaluated: every minute, with a period under a minute every 10 s.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
        """
        return MINUTE_S if self.period_s >= MINUTE_S else SHORTEST_STEP_S

    def actions_for(self, state: str) -> tuple[str, ...]:
        """The ARNs of what a change to `state` sets off."""
        return dict(self.actions).get(state, ())


def read_alarm(found: Mapping[str, Any]) -> Alarm:
    """An alarm of DescribeAlarms; raises NotEvaluated where it is no alarm on a single metric."""
    stat = _metric_stat(found)
    metric = stat["Metric"]
    dimensions = sorted((str(d["Name"]), str(d["Value"])) for d in metric.get("Dimensions") or ())
    periods = int(found["EvaluationPeriods"])
    updated: Any = found.get("AlarmConfigurationUpdatedTimestamp")
    return Alarm(
        name=str(found["AlarmName"]),
        arn=str(found["AlarmArn"]),
        description=found.get("AlarmDescription") or None,
        metric=(str(metric["Namespace"]), str(metric["MetricName"]), tuple(dimensions)),
        statistic=str(stat["Stat"]),
        unit=stat.get("Unit") or None,
        period_s=int(stat["Period"]),
        evaluation_periods=periods,
        datapoints_to_alarm=int(found.get("DatapointsToAlarm") or periods),
        comparison=str(found["ComparisonOperator"]),
        threshold=float(found["Threshold"]),
        missing=_missing(found, str(metric["Namespace"])),
        low_samples=str(found.get("EvaluateLowSampleCountPercentile") or ""),
        actions_enabled=bool(found.get("ActionsEnabled", True)),
        actions=tuple((state, tuple(found.get(ACTIONS[state]) or ())) for state in STATES),
        updated=updated.isoformat() if updated is not None else "",
    )


def _metric_stat(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one metric an alarm looks at, in the shape of a MetricStat."""
    queries: Sequence[Mapping[str, Any]] = found.get("Metrics") or ()
    if len(queries) == 1 and queries[0].get("MetricStat"):
        single: Mapping[str, Any] = queries[0]["MetricStat"]
        return single
    if queries or not found.get("MetricName"):
        raise NotEvaluated(f"alarm {found['AlarmName']} is on an expression, which is not evaluated here")
    return {
        "Metric": {k: found.get(k) for k in ("Namespace", "MetricName", "Dimensions")},
        "Stat": found.get("ExtendedStatistic") or found.get("Statistic"),
        "Period": found["Period"],
        "Unit": found.get("Unit"),
    }


def _missing(found: Mapping[str, Any], namespace: str) -> str:
    """Alarms on AWS/DynamoDB metrics always ignore missing data (API_PutMetricAlarm, TreatMissingData)."""
    return "ignore" if namespace == "AWS/DynamoDB" else str(found.get("TreatMissingData") or "missing")
