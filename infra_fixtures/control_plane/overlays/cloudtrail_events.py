"""LookupEvents, which moto lacks: the calls of the run, as its trail kept them.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html: one lookup attribute a call, 50 events a
page at most, the newest first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError

from infra_fixtures.control_plane.overlays.patching import adds
from infra_fixtures.control_plane.trail import Event, Trail, trail_of
from infra_fixtures.run_layout import RunLayout

MOST_RESULTS = 50
ATTRIBUTES: Mapping[str, Callable[[Event], str]] = {
    "EventId": lambda event: event.id,
    "EventName": lambda event: event.name,
    "EventSource": lambda event: event.source,
    "ReadOnly": lambda _event: "false",
    "Username": lambda event: event.user,
    "AccessKeyId": lambda event: event.key_id,
    "ResourceName": lambda event: event.resource,
}


def apply(layout: RunLayout) -> None:
    """Answer LookupEvents from the run's trail."""
    trail = trail_of(layout.account_id)
    adds(CloudTrailResponse, "lookup_events")(lambda self: _lookup_events(self, trail))


def _lookup_events(self: Any, trail: Trail) -> str:
    wanted = self._get_param("LookupAttributes") or []
    if len(wanted) > 1:
        raise JsonRESTError("InvalidLookupAttributesException", "You can specify only one lookup attribute at a time")
    most = int(self._get_param("MaxResults") or MOST_RESULTS)
    if not 1 <= most <= MOST_RESULTS:
        raise JsonRESTError("InvalidMaxResultsException", "MaxResults must be between 1 and 50")
    found = [event for event in trail.events(self.region) if _within(self, event)]
    for attribute in wanted:
        read = ATTRIBUTES.get(attribute["AttributeKey"])
        if read is None:
            raise JsonRESTError(
                "InvalidLookupAttributesException", f"{attribute['AttributeKey']} is not looked up here"
            )
        found = [event for event in found if read(event) == attribute["AttributeValue"]]
    after = self._get_param("NextToken")
    if after:
        place = next((n for n, event in enumerate(found) if event.id == after), None)
        if place is None:
            raise JsonRESTError("InvalidNextTokenException", "The token is not valid")
        found = found[place + 1 :]
    page: dict[str, Any] = {"Events": [_told(event) for event in found[:most]]}
    if len(found) > most:
        page["NextToken"] = found[most - 1].id
    return json.dumps(page)


def _within(self: Any, event: Event) -> bool:
    begins, ends = self._get_param("StartTime"), self._get_param("EndTime")
    return (begins is None or event.at >= float(begins)) and (ends is None or event.at <= float(ends))


def _told(event: Event) -> dict[str, Any]:
    resources = [{"ResourceName": event.resource}] if event.resource else []
    return {
        "EventId": event.id,
        "EventName": event.name,
        "ReadOnly": "false",
        "AccessKeyId": event.key_id,
        "EventTime": event.at,
        "EventSource": event.source,
        "Username": event.user,
        "Resources": resources,
        "CloudTrailEvent": event.record,
    }
