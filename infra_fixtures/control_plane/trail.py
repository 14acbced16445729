"""What CloudTrail keeps of a run's calls: every management event that changes something, as LookupEvents answers it.

An event is kept in the region of the call, those of global services in us-east-1
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html). Data events are not kept, as they are
not on AWS unless a trail asks for them
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html). Unlike AWS's, an event
is there at once, and calls that only read are not kept.
"""

from __future__ import annotations

import functools
import re
import threading
import time
import uuid
from collections import deque
from typing import Any

import msgspec

from infra_fixtures.access.credentials import AccessKey, role_of
from infra_fixtures.control_plane.attribution import CallScope
from infra_fixtures.control_plane.backend import Answer, Call
from infra_fixtures.control_plane.operations import Operation
from infra_fixtures.data_events import is_data_event

KEPT = 20_000
"""Events of a region; AWS keeps 90 days of them."""
GLOBAL_EVENTS = "us-east-1"
_SOURCES = {"cloudwatch": "monitoring", "apigatewayv2": "apigateway", "resourcegroupstaggingapi": "tagging"}
_CODE = re.compile(rb"<Code>([\w.]+)</Code>|\"__type\"\s*:\s*\"(?:[^\"#]*#)?([\w.]+)")


class Event(msgspec.Struct, frozen=True):
    """One, with the fields that an event can be looked up by."""

    id: str
    name: str
    source: str
    at: float
    key_id: str
    user: str
    resource: str
    record: str


class Trail:
    """Takes events from the front, and gives them to whoever looks them up; both from threads of their own."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._events: dict[str, deque[Event]] = {}
        self._lock = threading.Lock()

    def keep(self, scope: CallScope, call: Call, operation: Operation, key: AccessKey, answer: Answer) -> None:
        """Keep the event of a call that may have changed something, also where it was refused."""
        if is_data_event(operation.service, operation.name):
            return
        region = GLOBAL_EVENTS if scope.is_global else scope.region
        identity = self._identity(key)
        event_id, at = str(uuid.uuid4()), time.time()
        source = f"{_SOURCES.get(operation.service, operation.service)}.amazonaws.com"
        headers = answer.headers
        record = {
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            "eventSource": source,
            "eventName": operation.name,
            "awsRegion": region,
            "userAgent": call.headers.get("User-Agent", ""),
            "requestID": headers.get("x-amzn-requestid") or headers.get("x-amz-request-id") or "",
            "eventID": event_id,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self._account,
            "eventCategory": "Management",
        }
        if answer.status >= 400:
            record["errorCode"] = _code(answer)
        event = Event(
            event_id,
            operation.name,
            source,
            at,
            key.id,
            str(identity["arn"]).rpartition("/")[2],
            operation.resource,
            msgspec.json.encode(record).decode(),
        )
        with self._lock:
            self._events.setdefault(region, deque(maxlen=KEPT)).append(event)

    def events(self, region: str) -> list[Event]:
        """Those of a region, the newest first."""
        with self._lock:
            return list(reversed(self._events.get(region, ())))

    def _identity(self, key: AccessKey) -> dict[str, Any]:
        """Of a user, or of the role that the session token belongs to."""
        role = role_of(key.token) if key.token else None
        arn = f"arn:aws:iam::{self._account}:user/drill"
        if role is not None:
            arn = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/drill"
        kind = "IAMUser" if role is None else "AssumedRole"
        return {"type": kind, "arn": arn, "accountId": self._account, "accessKeyId": key.id}


@functools.cache
def trail_of(account: str) -> Trail:
    """The one of this process, to which the front adds and which moto's CloudTrail reads."""
    return Trail(account)


def _code(answer: Answer) -> str:
    named = answer.headers.get("x-amzn-errortype", "").partition(":")[0]
    found = _CODE.search(answer.body[:65_536])
    return named or ((found[1] or found[2]).decode() if found else str(answer.status))
