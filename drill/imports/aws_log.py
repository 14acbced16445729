"""When the fault struck, by AWS's own logs: CloudTrail's events, or an experiment of the Fault Injection Service.

CloudTrail's eventTime has whole seconds and is when the request was completed, by the clock of the host that served it
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html): the call began up to
CALL_S earlier. Neither log says how soon the call had its effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.imports.instant import Instant
from drill.imports.source import DAMAGED, content_of, refuse_damaged
from drill.plain_file import MOST_BYTES
from drill.records import NS
from drill.unusable import UnusableInput

CALL_S = 1
"""An API call is believed to take no longer."""
WAIT = "aws:fis:wait"
STARTED, ENDED = "action-start", "action-end"
DOES_NOTHING = {"pending", "initiating", "cancelled", "skipped"}


@dataclass(frozen=True, slots=True)
class Told:
    """The fault struck in [`begin_ns`, `effective_ns`] and was taken back at `healed_ns` at the earliest (None: not told)."""

    begin_ns: int
    effective_ns: int
    healed_ns: int | None
    subject: str
    detail: str


def cloudtrail(path: Path, fault_event: str | None, healed_event: str | None) -> Told:
    """From `aws cloudtrail lookup-events` or a delivered log file: the first call of `fault_event` that succeeded.

    Raises UnusableInput where there is none, or where more than one could be meant and no name was given.
    """
    events = [e for e in _events(path) if not e.get("errorCode") and e.get("readOnly") is not True]
    names = sorted({str(e.get("eventName")) for e in events})
    if fault_event is None:
        if len(events) != 1:
            raise UnusableInput(
                f"{path} has {len(events)} calls that changed something: say which was the fault with --fault-event, one "
                f"of {', '.join(names)[:300] or 'none'}"
            )
        fault_event = str(events[0].get("eventName"))
    faults = sorted(((_at(path, e), e) for e in events if e.get("eventName") == fault_event), key=lambda x: x[0].ns)
    if not faults:
        raise UnusableInput(
            f"{path} has no call of {fault_event} that succeeded: it has {', '.join(names)[:300] or 'none at all'}"
        )
    at, event = faults[0]
    later = [_at(path, e) for e in events if healed_event is not None and e.get("eventName") == healed_event]
    healed = min((x.ns for x in later if x.ns > at.ns), default=None)
    if healed_event is not None and healed is None:
        raise UnusableInput(f"{path} has no call of {healed_event} after {fault_event}: leave --healed-event out")
    detail = f"{event.get('eventSource', '')} {event.get('requestID', '')}".strip()
    return Told(
        at.ns - CALL_S * NS, at.latest_ns, None if healed is None else healed - CALL_S * NS, fault_event, detail
    )


def fis(path: Path) -> Told:
    """From `aws fis get-experiment`, or the experiment's log: from the start of its first action.

    An action that ended at once (without a duration) took effect before its end; of one that lasts nobody says how soon it
    bit, and it is counted from its start, and healed by its end. Waiting is no fault. Raises UnusableInput.
    """
    actions = list(_actions(path))
    if not actions:
        raise UnusableInput(
            f"{path} tells of no action that ran: give the output of `aws fis get-experiment`, or the experiment's log"
        )
    name, at, ended, lasts = min(actions, key=lambda x: x[1].ns)
    by_ns = ended.latest_ns if ended is not None and not lasts else at.latest_ns
    healed = [e.ns for _, _, e, lasting in actions if e is not None and lasting]
    return Told(at.ns, by_ns, min(healed, default=None), name, path.name)


def _events(path: Path) -> Iterator[dict[str, Any]]:
    whole = _documents(path)
    first = whole[0] if whole else None
    found = first.get("Records", first.get("Events")) if isinstance(first, dict) else first
    if not isinstance(found, list):
        raise UnusableInput(
            f"{path} has neither Records nor Events: give a log file that CloudTrail delivered, or the output of `aws "
            "cloudtrail lookup-events`"
        )
    for event in found:
        inner = event.get("CloudTrailEvent") if isinstance(event, dict) else None
        if isinstance(inner, str):
            try:
                event = msgspec.json.decode(inner.encode())
            except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as e:
                raise UnusableInput(
                    f"{path} has an event whose CloudTrailEvent is not JSON ({e}): give it whole"
                ) from e
        if not isinstance(event, dict):
            raise UnusableInput(f"{path} has an event that is no object: give the file as AWS wrote it")
        yield event


def _at(path: Path, event: dict[str, Any]) -> Instant:
    return _instant(event.get("eventTime"), f"{path}: eventTime of {event.get('eventName')}")


def _actions(path: Path) -> Iterator[tuple[str, Instant, Instant | None, bool]]:
    """(name, start, end, whether it lasts) of each action that ran."""
    documents = _documents(path)
    experiment = documents[0].get("experiment") if documents and isinstance(documents[0], dict) else None
    if isinstance(experiment, dict) and isinstance(actions := experiment.get("actions"), dict):
        for name, action in actions.items():
            if not isinstance(action, dict) or action.get("actionId") == WAIT or not action.get("startTime"):
                continue
            state = action.get("state")
            if isinstance(state, dict) and state.get("status") in DOES_NOTHING:
                continue
            end = action.get("endTime")
            yield (
                name,
                _instant(action["startTime"], f"{path}: startTime of {name}"),
                _instant(end, f"{path}: endTime of {name}") if end else None,
                _lasts(action.get("parameters")),
            )
        return
    started: dict[str, tuple[Instant, bool]] = {}
    for record in documents:
        details = record.get("details") if isinstance(record, dict) else None
        if not isinstance(details, dict) or details.get("action_id") == WAIT:
            continue
        name, kind = str(details.get("action_name")), record.get("log_type")
        if kind == STARTED:
            at = _instant(details.get("action_start_time") or record.get("event_timestamp"), f"{path}: start of {name}")
            started[name] = at, _lasts(details.get("parameters"))
        elif kind == ENDED and name in started:
            end = _instant(details.get("action_end_time") or record.get("event_timestamp"), f"{path}: end of {name}")
            at, lasts = started.pop(name)
            yield name, at, end, lasts
    for name, (at, lasts) in started.items():
        yield name, at, None, lasts


def _lasts(parameters: Any) -> bool:
    return isinstance(parameters, dict) and "duration" in parameters


def _instant(said: Any, what: str) -> Instant:
    """AWS's command line prints ISO 8601, or seconds since 1970."""
    if isinstance(said, int | float) and not isinstance(said, bool) and 0 < said < 1e11:
        return Instant(int(said * 1000) * (NS // 1000), NS // 1000 if said % 1 else NS)
    return Instant.of(str(said), what)


def _documents(path: Path) -> list[Any]:
    """The file as one JSON document or one a line; a CloudWatch export wraps each record in `message` of `events`."""
    with content_of(path) as file:
        try:
            content = file.read(MOST_BYTES + 1)
        except DAMAGED as e:
            refuse_damaged(path, e)
    if len(content) > MOST_BYTES:
        raise UnusableInput(
            f"{path} is larger than {MOST_BYTES // 2**20} MiB: give the part of it that tells of the fault"
        )
    try:
        whole = [msgspec.json.decode(content)]
    except (msgspec.MsgspecError, RecursionError):
        try:
            whole = [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
        except (msgspec.MsgspecError, RecursionError) as e:
            raise UnusableInput(f"{path} is not JSON ({e}): give the file as AWS wrote it") from e
    if len(whole) == 1 and isinstance(whole[0], dict) and isinstance(wrapped := whole[0].get("events"), list):
        try:
            return [msgspec.json.decode(str(e["message"]).encode()) for e in wrapped]
        except (msgspec.MsgspecError, RecursionError, LookupError, TypeError, UnicodeEncodeError) as e:
            raise UnusableInput(f"{path} has an event whose message is not JSON: give the experiment's log") from e
    return whole
