"""Every call of a run that may change something in an AWS account, one line each: what was sent, and what came of it.

It sits in botocore's events as the guard does, after it: what the guard refuses is never sent, and so never a line. A line is
written before a request leaves and again once it is answered, so that a killed harness leaves no call out. Requests that are
sent again are lines of their own, as they are events of their own in CloudTrail
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html), which the
request id finds.

Names of resources are kept, and no other parameter: no secret is among them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.safety.aws_operations import changes

CALLS = "calls.jsonl"
"""The file in a run's directory."""
SENT = "sent"
"""The outcome of a call that nobody heard the answer of."""
DONE = "done"
_NAMING = re.compile(r"(?:Bucket|Names?|Ids?|Identifiers?|Arns?|ARNs?|Resources?|ResourceARNList|ApiKey|Key)$")
_NOT_NAMING = re.compile(r"Token|Secret(?!Id)|Password|Account|Owner|CallerReference|Encryption|SSE", re.IGNORECASE)
_NOTE = "drill_call"
MOST_NAMES = 100
_NUMBERS = itertools.count(1)
"""Of all logs of a process: they may share a file."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `number` counts them within a process, `pid` is that process.

    outcome: `sent` while nothing is known of it, `done`, the error code that AWS answered, or the exception that came
    instead of an answer. service: by boto3's name. region: GLOBAL for a service that has none.
    """

    pid: int
    number: int
    at: str
    service: str
    operation: str
    region: str
    resources: tuple[str, ...]
    request_id: str = ""
    outcome: str = SENT

    def __str__(self) -> str:
        return f"{self.service} {self.operation} in {self.region} ({', '.join(self.resources) or 'no resource named'})"


class CallLog:
    """Notes the calls of every client that it watches; threads may share it, and processes one file.

    path: where lines are added; None keeps them in `calls` alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._calls: dict[int, Call] = {}

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call of this process so far, in the order in which they were sent."""
        with self._writing:
            return tuple(self._calls.values())

    def watch(self, holder: Any) -> None:
        """Note the calls of a boto3 client, or of all clients that a boto3 session makes from now on."""
        events = holder.meta.events if hasattr(holder, "meta") else holder.events
        for event, handler in (
            ("before-parameter-build", self._named),
            ("request-created", self._sent),
            ("response-received", self._answered),
        ):
            events.register_last(event, handler, unique_id=f"calls-{id(self)}-{event}")

    def _named(self, *, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        """The one event that is told of the parameters; what it finds goes with the call."""
        if changes(model):
            service = model.service_model.service_name
            context[_NOTE] = [(service, model.name, tuple(names_of(params))), 0]

    def _sent(self, *, request: Any, **_: Any) -> None:
        note = request.context.get(_NOTE)
        if note is None:
            return
        (service, operation, resources), _number = note
        signing = request.context.get("signing", {})
        region = str(signing.get("region") or request.context.get("client_region"))
        call = Call(
            pid=os.getpid(),
            number=next(_NUMBERS),
            at=_now(),
            service=service,
            operation=operation,
            region=GLOBAL if service in GLOBAL_SERVICES else region,
            resources=resources,
        )
        note[1] = call.number
        self._write(call)

    def _answered(
        self, *, context: Mapping[str, Any], parsed_response: Any, exception: BaseException | None, **_: Any
    ) -> None:
        note = context.get(_NOTE)
        call = None if note is None else self._calls.get(note[1])
        if call is None:
            return
        if exception is not None:
            outcome, request_id = type(exception).__name__, ""
        else:
            outcome = str(parsed_response.get("Error", {}).get("Code") or DONE)
            request_id = str(parsed_response.get("ResponseMetadata", {}).get("RequestId") or "")
        self._write(msgspec.structs.replace(call, outcome=outcome, request_id=request_id))

    def _write(self, call: Call) -> None:
        """One write of one line in append mode: lines of other processes stay whole."""
        with self._writing:
            self._calls[call.number] = call
            if self._path is None:
                return
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                os.write(descriptor, msgspec.json.encode(call) + b"\n")
            finally:
                os.close(descriptor)


def read_calls(path: Path) -> list[Call]:
    """Every call that a log holds, in the order in which they were sent, each as it came out; none where there is no log."""
    if not path.exists():
        return []
    found: dict[tuple[int, int, str], Call] = {}
    for line in path.read_bytes().splitlines():
        try:
            call = msgspec.json.decode(line, type=Call)
        except msgspec.DecodeError:
            continue  # torn by a crash: the whole one before it stays
        found[call.pid, call.number, call.at] = call  # a process id may come again
    return list(found.values())


def names_of(parameters: Mapping[str, Any]) -> Iterator[str]:
    """The words among a call's parameters that name a resource, at their top."""
    yield from itertools.islice(dict.fromkeys(_names(parameters)), MOST_NAMES)


def _names(parameters: Mapping[str, Any]) -> Iterable[str]:
    for name, given in parameters.items():
        if not _NAMING.search(name[:1].upper() + name[1:]) or _NOT_NAMING.search(name):
            continue
        if isinstance(given, str):
            yield given
        elif isinstance(given, list | tuple):
            yield from (each for each in given if isinstance(each, str))


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
