"""A run's own log of calls against CloudTrail's: every call of ours is found there, and nothing that we did is missing here.

CloudTrail tells of an event within 15 minutes, most of the time within 5
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html); LookupEvents answers two questions a
second (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html). It has no data events, so that a
call which makes one cannot be found, which proves nothing.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra_fixtures.data_events import is_data_event
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.safety.call_log import SENT, Call

LATEST = dt.timedelta(minutes=15)
SLACK = dt.timedelta(seconds=5)
"""The clock here and AWS's may differ; an event is dated to the second."""
GLOBAL_EVENTS = "us-east-1"


@dataclass(frozen=True, slots=True)
class Event:
    """An event that changed something, and whose call it was."""

    request_id: str
    name: str
    source: str
    region: str
    at: str
    caller: str
    error: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> Event:
        """As LookupEvents tells it."""
        record = json.loads(told["CloudTrailEvent"])
        identity = record.get("userIdentity", {})
        return cls(
            str(record.get("requestID", "")),
            str(record["eventName"]),
            str(record["eventSource"]),
            str(record["awsRegion"]),
            str(record["eventTime"]),
            str(identity.get("arn") or identity.get("accessKeyId") or ""),
            str(record.get("errorCode", "")),
        )

    def __str__(self) -> str:
        return f"{self.source.partition('.')[0]} {self.name} in {self.region} at {self.at} by {self.caller or 'nobody named'}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it.

    found: calls of ours that CloudTrail has. missing: answered calls that it has not. unanswered: calls whose answer nobody
    heard, so that there is no id to find them by. data: calls that CloudTrail does not log. foreign: events of our callers
    that are not in our log. callers: as whom CloudTrail knows us.
    """

    found: tuple[Call, ...]
    missing: tuple[Call, ...]
    unanswered: tuple[Call, ...]
    data: tuple[Call, ...]
    foreign: tuple[Event, ...]
    callers: tuple[str, ...]
    early: bool

    @property
    def agrees(self) -> bool:
        """Whether every call was found and nothing else of ours was."""
        return bool(self.found) and not (self.missing or self.foreign)

    def describe(self) -> str:
        """For a person: what agrees, what does not, what that means."""
        lines = [
            f"{len(self.found)} of {len(self.found) + len(self.missing)} calls of this run are in CloudTrail, made by "
            f"{', '.join(self.callers) or 'nobody that is known'}"
        ]
        lines += [f"not in CloudTrail: {call} at {call.at}" for call in self.missing]
        lines += [f"in CloudTrail and not in this run's log: {event}" for event in self.foreign]
        if self.unanswered:
            lines.append(
                f"{len(self.unanswered)} calls were never answered, so that nothing says which events are theirs"
            )
        if self.data:
            lines.append(f"{len(self.data)} calls make data events, which CloudTrail's event history does not hold")
        if self.early and self.missing:
            lines.append(f"it is less than {LATEST.seconds // 60} minutes since the last call: ask again later")
        if not self.found:
            lines.append("nothing of this run was found, so that it is not known as whom CloudTrail knows it")
        return "\n".join(lines)


def compare(calls: Sequence[Call], client: Callable[[str, str], Any], now: dt.datetime) -> Comparison:
    """Look up the time of the calls in each of their regions; `client` gives boto3's clients by service and region.

    Raises ClientError where CloudTrail may not be asked.
    """
    data = tuple(c for c in calls if _is_data(c))
    unanswered = tuple(c for c in calls if not c.request_id and c not in data)
    known = [c for c in calls if c.request_id and c not in data]
    times = [dt.datetime.fromisoformat(c.at) for c in calls if c.outcome != SENT] or [now]
    events = list(_events(_regions(known), client, min(times) - SLACK, max(times) + SLACK))
    by_id = {event.request_id: event for event in events}
    found = tuple(c for c in known if c.request_id in by_id)
    callers = {by_id[c.request_id].caller for c in found}
    own = {c.request_id for c in known}
    # Of each call that was never answered one event may be there; that is not somebody else's.
    orphaned = Counter((c.operation, _where(c)) for c in unanswered)
    strange = [e for e in events if e.caller in callers and e.request_id not in own]
    foreign = tuple(e for e in strange if not _taken(orphaned, (e.name, e.region)))
    missing = tuple(c for c in known if c.request_id not in by_id)
    return Comparison(found, missing, unanswered, data, foreign, tuple(sorted(callers)), now - max(times) < LATEST)


def _taken(left: Counter[tuple[str, str]], one: tuple[str, str]) -> bool:
    """Whether there was one left, which is then taken."""
    left[one] -= 1
    return left[one] >= 0


def _is_data(call: Call) -> bool:
    return is_data_event(call.service, call.operation)


def _where(call: Call) -> str:
    return GLOBAL_EVENTS if call.region == GLOBAL else call.region


def _regions(calls: Iterable[Call]) -> list[str]:
    return sorted({GLOBAL_EVENTS, *(_where(call) for call in calls)})


def _events(
    regions: Iterable[str], client: Callable[[str, str], Any], begins: dt.datetime, ends: dt.datetime
) -> Iterable[Event]:
    for region in regions:
        pages = (
            client("cloudtrail", region)
            .get_paginator("lookup_events")
            .paginate(
                LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}],
                StartTime=begins,
                EndTime=ends,
            )
        )
        for page in pages:
            yield from map(Event.of, page["Events"])
