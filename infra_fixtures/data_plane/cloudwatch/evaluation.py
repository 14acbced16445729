"""What an alarm makes of the data it has: M breaching of N, and the rules for data that is missing.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, whose tables are the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra_fixtures.data_plane.cloudwatch.alarm import Alarm

SPARE_PERIODS = 2
"""CloudWatch looks at more periods than it evaluates, so that a late datum does not count as missing; the number is not
published, in its examples it is two."""

COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}

Points = Sequence[float | None]
"""The evaluation range, oldest first; None where a period has no data."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The state an alarm ought to have, and why."""

    state: str
    reason: str


def evaluation_range(alarm: Alarm) -> int:
    """How many periods are looked at."""
    return alarm.evaluation_periods + SPARE_PERIODS


def evaluate(alarm: Alarm, points: Points, current: str) -> Decision:
    """Decide on an alarm whose state is `current`; where the rules keep the state, the decision says `current`."""
    breaches, words = COMPARISONS[alarm.comparison]
    wanted, least = alarm.evaluation_periods, alarm.datapoints_to_alarm
    real = [p for p in points if p is not None][-wanted:]
    breaching = sum(breaches(p, alarm.threshold) for p in real)
    filled = wanted - len(real)
    if alarm.missing == "breaching":
        breaching += filled
    if not real and alarm.missing == "missing":
        return Decision(
            "INSUFFICIENT_DATA", f"Insufficient Data: {_count(wanted)} {'were' if wanted > 1 else 'was'} unknown."
        )
    if breaching >= least:
        return Decision("ALARM", _reason(alarm, real, filled, words, "were"))
    if filled and alarm.missing in {"missing", "ignore"} and breaching == len(real):
        if alarm.missing == "missing" and _age_of_oldest(points) >= least:
            return Decision("ALARM", _reason(alarm, real, filled, words, "were"))
        return Decision(current, "Unchanged: not enough data")
    return Decision("OK", _reason(alarm, real, filled, words, "were not"))


def _age_of_oldest(points: Points) -> int:
    """How many periods ago the oldest datum of the range was, the last period being 1."""
    return next((len(points) - at for at, p in enumerate(points) if p is not None), 0)


def _reason(alarm: Alarm, real: Sequence[float], filled: int, words: str, verb: str) -> str:
    """The sentence CloudWatch writes into StateReason."""
    if not real:
        treated = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(alarm.missing, alarm.missing)
        periods = f"{filled} period{'s' if filled > 1 else ''}"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} and {filled} missing "
            f"datapoint{'s' if filled > 1 else ''} {'were' if filled > 1 else 'was'} treated as [{treated}]."
        )
    last = ", ".join(str(p) for p in reversed(real))
    sentence = f"Threshold Crossed: {_count(len(real))} [{last}] {verb} {words} the threshold ({alarm.threshold})"
    if filled and alarm.missing in {"breaching", "notBreaching"}:
        treated = "Breaching" if alarm.missing == "breaching" else "NonBreaching"
        sentence += f" and {filled} missing datapoint{'s were' if filled > 1 else ' was'} treated as [{treated}]"
    return f"{sentence} (minimum {alarm.datapoints_to_alarm} of {alarm.evaluation_periods} datapoints to alarm)."


def _count(number: int) -> str:
    return f"{number} datapoint{'s' if number > 1 else ''}"
