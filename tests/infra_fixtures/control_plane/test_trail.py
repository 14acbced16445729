"""The trail of an account: what changed it is found by LookupEvents, under the request id that its caller was given."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra_fixtures.targets.emulated_account import EmulatedAccount, emulated_account


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """One for all tests here."""
    with emulated_account() as held:
        yield held


def _events(account: EmulatedAccount, region: str = "us-east-1", **how: Any) -> list[dict[str, Any]]:
    pages = account.client("cloudtrail", region).get_paginator("lookup_events").paginate(**how)
    return [event for page in pages for event in page["Events"]]


def _named(name: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}]}


def test_a_call_is_found_by_its_request_id(account: EmulatedAccount) -> None:
    """In its own region, with who called and how; one that only reads is not there."""
    answer = account.client("sqs", "us-west-2").create_queue(QueueName="one")
    account.client("sqs", "us-west-2").list_queues()
    (event,) = _events(account, "us-west-2", **_named("CreateQueue"))
    record = json.loads(event["CloudTrailEvent"])
    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert record["userIdentity"]["accessKeyId"] == account.access_key.id == event["AccessKeyId"]
    assert (event["EventSource"], record["awsRegion"]) == ("sqs.amazonaws.com", "us-west-2")
    assert _events(account, "us-east-1", **_named("CreateQueue")) == []
    assert _events(account, "us-west-2", **_named("ListQueues")) == []


def test_global_services_are_told_of_in_us_east_1(account: EmulatedAccount) -> None:
    """IAM's and Route 53's calls; a refused one too, with its error."""
    iam = account.client("iam")
    with pytest.raises(ClientError):
        iam.delete_role(RoleName="nobody")
    (event,) = _events(account, "us-east-1", **_named("DeleteRole"))
    assert json.loads(event["CloudTrailEvent"])["errorCode"] == "NoSuchEntity"
    assert _events(account, "us-west-2", **_named("DeleteRole")) == []


def test_data_events_are_not_kept(account: EmulatedAccount) -> None:
    """As on AWS unless a trail asks for them: a bucket's creation is there, its objects are not."""
    s3 = account.client("s3", "us-east-1")
    s3.create_bucket(Bucket="a-bucket-of-trails")
    s3.put_object(Bucket="a-bucket-of-trails", Key="k", Body=b"x")
    s3.put_bucket_versioning(Bucket="a-bucket-of-trails", VersioningConfiguration={"Status": "Enabled"})
    names = [event["EventName"] for event in _events(account)]
    assert {"CreateBucket", "PutBucketVersioning"} <= set(names)
    assert "PutObject" not in names


def test_events_come_in_pages_and_within_their_time(account: EmulatedAccount) -> None:
    """The newest first, none twice, and none outside the time that was asked for."""
    sns = account.client("sns", "us-west-2")
    before = dt.datetime.now(dt.UTC)
    arns = [sns.create_topic(Name=f"topic-{n}")["TopicArn"] for n in range(7)]
    how = _named("CreateTopic")
    events = _events(account, "us-west-2", **how, PaginationConfig={"PageSize": 3})
    assert len({event["EventId"] for event in events}) == len(events) == len(arns)
    assert [e["EventTime"] for e in events] == sorted((e["EventTime"] for e in events), reverse=True)
    earlier = dt.timedelta(seconds=1)
    assert _events(account, "us-west-2", **how, EndTime=before - earlier) == []
    assert len(_events(account, "us-west-2", **how, StartTime=before - earlier)) == 7
    with pytest.raises(ClientError, match="InvalidMaxResults"):
        account.client("cloudtrail", "us-west-2").lookup_events(MaxResults=51)
