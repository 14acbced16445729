"""Rules on a schedule: rate(...) expressions, their targets, and the event of a run."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

UNITS_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True, slots=True)
class Target:
    """A function, and the constant input it is given instead of the event (None: the event)."""

    id: str
    function: str
    constant: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """An enabled rule that runs every `every_s` seconds as the API has it (unpaced)."""

    name: str
    arn: str
    every_s: float
    targets: tuple[Target, ...]


def rate_s(expression: str) -> float | None:
    """The seconds of a rate expression; None where it is none."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * UNITS_S[found[2]] if found else None


def scheduled_event(rule: Rule, region: str, account: str) -> bytes:
    """The event of a run: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
    return json.dumps(event).encode()
