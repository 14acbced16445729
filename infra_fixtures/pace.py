"""The pace of a run: how many times faster than AWS's the timers of the models run, and which timers these are.

`paced` is the only place that divides by a pace, and `sentence` tells a reader of a report what it was applied to and what
it was not. A new paced timer is a new member of `Timer`; the report follows.
"""

from __future__ import annotations

from enum import Enum

from drill.unusable import UnusableInput

FASTEST = 100

NOT_PACED = (
    "Aurora's replication and promotion",
    "S3 replication",
    "Lambda's cold starts and function time-outs",
    "API Gateway's throttle and integration time-out",
    "scripts of Systems Manager's documents",
    "network latency and TCP time-outs",
    "clients' time-outs",
)
"""What takes its real time at every pace, for a report: either nothing here waits by AWS's clock, or clients meet it."""


class Timer(Enum):
    """A timer that the pace divides: whose it is and what, for a report; AWS's length; the shortest that it becomes.

    `aws_s` is None where an owner sets the length in the AWS API or where there are several. No timer is made shorter than
    `floor_s` seconds; one that is shorter on AWS stays as it is.
    """

    owner: str
    what: str
    aws_s: float | None
    floor_s: float

    def __new__(cls, owner: str, what: str, aws_s: float | None = None, floor_s: float = 0.0) -> Timer:
        """Number the members: two timers of the same length and description are still two."""
        member = object.__new__(cls)
        member._value_ = len(cls.__members__)
        member.owner, member.what, member.aws_s, member.floor_s = owner, what, aws_s, floor_s
        return member

    HEALTH_CHECK_INTERVAL = "Route 53", "health check intervals"
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html, RequestInterval: 10 or 30 s."""

    HEALTH_CHECK_CONNECT = "Route 53", "health check time-outs", 4.0, 0.5
    HEALTH_CHECK_TCP_CONNECT = "Route 53", "health check time-outs", 10.0, 0.5
    HEALTH_CHECK_RESPONSE = "Route 53", "health check time-outs", 2.0, 0.5
    HEALTH_CHECK_BODY = "Route 53", "health check time-outs", 2.0, 0.5
    """https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html: connect
    within 4 s (TCP checks 10 s), a status within 2 s of it, the body within 2 s more. Half a second is the least, so that a
    busy machine is not taken for an outage."""

    DNS_TTL = "Route 53", "DNS TTLs", None, 1.0
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html, TTL. DNS has whole seconds."""

    METRIC_MINUTE = "CloudWatch", "metric minutes", 60.0
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/publishingMetrics.html: AWS's services publish by the
    minute, and metrics of standard resolution are kept by the minute."""

    ALARM_PERIOD = "CloudWatch", "alarm periods"
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html."""

    SCHEDULE_RATE = "EventBridge", "schedule rates"
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html."""

    EVENT_RETRY = "Lambda", "retries of asynchronous events"
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: 1 and 2 min after a function error,
    1 s to 5 min after a throttle."""

    EVENT_AGE = "Lambda", "age limits of asynchronous events"
    """https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html, MaximumEventAgeInSeconds: up to
    6 h."""

    IDLE_ENVIRONMENT = "Lambda", "idle limits of environments", 600.0
    """AWS does not say; observers report five to fifteen minutes."""

    FIS_DURATION = "FIS", "durations of actions"
    """https://docs.aws.amazon.com/fis/latest/userguide/action-sequence.html#action-duration: 1 min to 12 h."""

    FIS_EXTENSION_POLL = "FIS", "polling of the Lambda extension", 60.0, 0.5
    """https://docs.aws.amazon.com/fis/latest/userguide/use-lambda-actions.html, AWS_FIS_SLOW_POLL_INTERVAL_SECONDS."""

    AUTOMATION_SLEEP = "Systems Manager", "aws:sleep steps"
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html."""

    CANARY_INTERVAL = "the canary", "interval"
    CANARY_DURATION = "the canary", "duration"
    """The application's own, which no AWS API knows: infra_fixtures/workload/canary.py."""


def paced(pace: float, timer: Timer, aws_s: float | None = None) -> float:
    """A timer's length at a pace, in seconds; `aws_s` is its length on AWS, not needed where that is a constant."""
    length_s = timer.aws_s if aws_s is None else aws_s
    if length_s is None:
        raise ValueError(f"{timer.name} has no length of its own: aws_s is needed")
    return max(length_s / pace, min(length_s, timer.floor_s))


def sentence(pace: float) -> str | None:
    """For a report: which timers ran how many times faster, and which did not; None at pace 1, where all are AWS's."""
    if pace == 1:
        return None
    by_owner: dict[str, dict[str, None]] = {}
    for timer in Timer:
        least = f" of at least {timer.floor_s:g} s" if timer.floor_s else ""
        by_owner.setdefault(timer.owner, {})[f"{timer.what}{least}"] = None
    faster = ", ".join(f"{owner} ({', '.join(timers)})" for owner, timers in by_owner.items())
    return (
        f"recovery times at AWS's own timers. These ran {pace:g} times faster than on AWS: {faster}. "
        f"These did not: {', '.join(NOT_PACED)}"
    )


def parse_pace(text: object) -> float:
    """A pace of at least 1; UnusableInput for anything else."""
    try:
        pace = float(str(text))
    except ValueError:
        pace = float("nan")
    if not 1 <= pace <= FASTEST:
        raise UnusableInput(f"--pace {text} is no pace: give a number from 1 (AWS's own timers) to {FASTEST}")
    return pace
