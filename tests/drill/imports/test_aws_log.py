"""When the fault struck, read off the logs that AWS writes, no more exactly than they tell it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from drill.imports.aws_log import cloudtrail, fis
from drill.imports.instant import Instant
from drill.records import NS
from drill.unusable import UnusableInput
from tests.drill.imports.judged import DATA, Truth, judged

AT = Instant.of("2026-11-27T10:00:05Z", "")
STOP: dict[str, Any] = {
    "eventVersion": "1.11",
    "eventTime": "2026-11-27T10:00:05Z",
    "eventSource": "rds.amazonaws.com",
    "eventName": "FailoverGlobalCluster",
    "awsRegion": "us-east-1",
    "requestID": "3f1c7a52-0000-4000-8000-000000000001",
    "readOnly": False,
    "eventType": "AwsApiCall",
}


FAILOVER = {"action_name": "fail", "action_id": "aws:rds:failover-db-cluster"}


def event(**changed: Any) -> dict[str, Any]:
    """A call that succeeded, but for what is changed."""
    return STOP | changed


def written(path: Path, content: Any) -> Path:
    """As JSON."""
    path.write_text(json.dumps(content))
    return path


def test_a_time_is_as_exact_as_its_last_digit() -> None:
    """Seconds, milliseconds, and the epoch in either."""
    assert Instant.of("2026-11-27T10:00:05Z", "").exact_ns == NS
    assert Instant.of("2026-11-27T12:00:05.250+02:00", "") == Instant(AT.ns + NS // 4, NS // 1000)
    seconds = AT.ns // NS
    for text, exact in ((f"{seconds}", NS), (f"{seconds}.5", NS // 10), (f"{seconds}000", NS // 1000), (f"{AT.ns}", 1)):
        assert Instant.of(text, "").exact_ns == exact
    assert Instant.read("2026-11-27 10:00:05") is None
    assert Instant.read("2026-13-41T10:00:05Z") is None


def test_a_delivered_log_gives_a_bracket_of_two_seconds(tmp_path: Path) -> None:
    """The request was completed within the second of eventTime, and had begun before."""
    log = written(tmp_path / "log.json", {"Records": [event(eventName="DescribeDBClusters", readOnly=True), event()]})
    told = cloudtrail(log, None, None)
    assert (told.begin_ns, told.effective_ns) == (AT.ns - NS, AT.ns + NS)
    assert told.subject == "FailoverGlobalCluster"
    assert told.detail.startswith("rds.amazonaws.com")


def test_looked_up_events_hold_theirs_as_text(tmp_path: Path) -> None:
    """The healing call is not believed to be later than it can have begun."""
    calls = [
        event(eventName="AuthorizeSecurityGroupIngress", eventTime="2026-11-27T10:05:00Z"),
        event(
            eventName="RevokeSecurityGroupIngress",
            errorCode="Client.UnauthorizedOperation",
            eventTime="2026-11-27T09:59:00Z",
        ),
        event(eventName="RevokeSecurityGroupIngress"),
    ]
    found = {"Events": [{"EventTime": 1795773905.0, "CloudTrailEvent": json.dumps(e)} for e in calls]}
    told = cloudtrail(
        written(tmp_path / "e.json", found), "RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"
    )
    assert told.begin_ns == AT.ns - NS
    assert told.healed_ns == Instant.of("2026-11-27T10:04:59Z", "").ns


@pytest.mark.parametrize(
    ("events", "fault", "sentence"),
    [
        ([event(), event(eventName="StopDBCluster")], None, "has 2 calls that changed something.*--fault-event"),
        ([event()], "StopDBCluster", "no call of StopDBCluster that succeeded"),
        ([event(errorCode="AccessDenied")], "FailoverGlobalCluster", "no call of FailoverGlobalCluster that succeeded"),
        ([event(eventTime="today")], None, "no point in time"),
    ],
)
def test_a_log_that_does_not_tell_the_fault_is_refused(
    events: list[dict[str, Any]], fault: str | None, sentence: str, tmp_path: Path
) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnusableInput, match=sentence):
        cloudtrail(written(tmp_path / "log.json", {"Records": events}), fault, None)


def test_an_experiment_that_lasts_is_counted_from_its_start_and_healed_by_its_end(tmp_path: Path) -> None:
    """What waits is no fault, nor what never ran."""
    experiment = {
        "experiment": {
            "id": "EXP1",
            "state": {"status": "completed"},
            "actions": {
                "pause": {"actionId": "aws:fis:wait", "startTime": "2026-11-27T09:00:00.000000+00:00", "state": {}},
                "cut": {
                    "actionId": "aws:network:disrupt-connectivity",
                    "parameters": {"duration": "PT5M", "scope": "all"},
                    "state": {"status": "completed"},
                    "startTime": "2026-11-27T10:00:05.123000+00:00",
                    "endTime": "2026-11-27T10:05:06.456000+00:00",
                },
                "never": {
                    "actionId": "aws:rds:failover-db-cluster",
                    "state": {"status": "cancelled"},
                    "startTime": 1795770000,
                },
            },
        }
    }
    told = fis(written(tmp_path / "e.json", experiment))
    assert told.subject == "cut"
    assert told.begin_ns == AT.ns + 123_000_000
    assert told.effective_ns == told.begin_ns + 1000
    assert told.healed_ns == Instant.of("2026-11-27T10:05:06.456Z", "").ns


def test_an_action_that_ends_at_once_took_effect_by_its_end(tmp_path: Path) -> None:
    """An experiment's log, one record a line, as it lies in S3."""
    records = [
        {
            "id": "EXP1",
            "log_type": "experiment-start",
            "event_timestamp": "2026-11-27T10:00:00Z",
            "version": "2",
            "details": {},
        },
        {
            "id": "EXP1",
            "log_type": "action-start",
            "event_timestamp": "2026-11-27T10:00:05Z",
            "version": "2",
            "details": {
                "action_name": "fail",
                "action_id": "aws:rds:failover-db-cluster",
                "action_start_time": "2026-11-27T10:00:05Z",
            },
        },
        {
            "id": "EXP1",
            "log_type": "action-end",
            "event_timestamp": "2026-11-27T10:00:09Z",
            "version": "2",
            "details": {
                "action_name": "fail",
                "action_id": "aws:rds:failover-db-cluster",
                "action_end_time": "2026-11-27T10:00:09Z",
            },
        },
    ]
    log = tmp_path / "log.json"
    log.write_text("\n".join(json.dumps(r) for r in records))
    told = fis(log)
    assert (told.begin_ns, told.effective_ns, told.healed_ns) == (AT.ns, AT.ns + 5 * NS, None)
    exported = written(tmp_path / "cloudwatch.json", {"events": [{"message": json.dumps(r)} for r in records]})
    assert fis(exported).effective_ns == told.effective_ns


def test_a_file_is_judged_by_the_call_that_cloudtrail_logged(tmp_path: Path) -> None:
    """The bracket is wider by the log's two seconds, and still holds the truth."""
    truth = Truth.of("vegeta.json")
    second = int(truth.down_ms[0] // 1000)
    log = written(tmp_path / "log.json", {"Records": [event(eventTime=_utc(second))]})
    found = judged(DATA / "vegeta.json.gz", "--cloudtrail", log, "--only-rto").measurements["rto_s"]
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= truth.rto_s[0]
    assert truth.rto_s[1] <= found.upper
    assert 1.0 <= found.upper - found.lower <= 4.0


def _utc(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
