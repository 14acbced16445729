"""A run's log of calls and CloudTrail agree, or it is said where they do not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest

from infra_fixtures.safety.call_log import CallLog
from infra_fixtures.safety.trail_check import LATEST, Comparison, compare
from infra_fixtures.targets.clients import CONFIG
from infra_fixtures.targets.emulated_account import EmulatedAccount, emulated_account


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """One for all tests here."""
    with emulated_account() as held:
        yield held


class Harness:
    """Whoever keeps a log of its calls."""

    def __init__(self, account: EmulatedAccount) -> None:
        self.log = CallLog()
        self._account = account

    def client(self, service: str, region: str = "us-west-2") -> Any:
        """A client whose calls are noted."""
        made = boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self._account.endpoints[region],
            aws_access_key_id=self._account.access_key.id,
            aws_secret_access_key=self._account.access_key.secret,
            config=CONFIG,
        )
        self.log.watch(made)
        return made

    def compare(self, *calls: Any) -> Comparison:
        """What CloudTrail says of these calls, or of all."""
        return compare(calls or self.log.calls, self._account.client, dt.datetime.now(dt.UTC))


def test_all_that_was_done_is_found(account: EmulatedAccount) -> None:
    """Calls of two regions and of a global service; one that is refused counts as well, one for data cannot be found."""
    harness = Harness(account)
    harness.client("sqs").create_queue(QueueName="found")
    harness.client("s3", "us-east-1").create_bucket(Bucket="found-by-its-trail")
    harness.client("s3", "us-east-1").put_object(Bucket="found-by-its-trail", Key="k", Body=b"")
    with pytest.raises(Exception, match="NonExistentQueue"):
        harness.client("sqs").delete_queue(QueueUrl=f"{account.endpoints['us-west-2']}/{account.account_id}/never")
    comparison = harness.compare()
    assert comparison.agrees, comparison.describe()  # the first test: nobody else has used the account
    assert [c.operation for c in comparison.found] == ["CreateQueue", "CreateBucket", "DeleteQueue"]
    assert [c.operation for c in comparison.data] == ["PutObject"]
    assert comparison.callers == (f"arn:aws:iam::{account.account_id}:user/drill",)


def test_what_the_log_lacks_is_foreign(account: EmulatedAccount) -> None:
    """Another program with the same credentials did something meanwhile."""
    harness = Harness(account)
    harness.client("sqs").create_queue(QueueName="ours")
    account.client("sqs", "us-west-2").create_queue(QueueName="theirs")
    harness.client("sqs").create_queue(QueueName="ours-too")
    comparison = harness.compare()
    assert not comparison.agrees
    assert "CreateQueue" in {event.name for event in comparison.foreign}
    assert "not in this run's log" in comparison.describe()


def test_what_cloudtrail_lacks_is_missing(account: EmulatedAccount) -> None:
    """A call that nobody received; soon after the run it may only be late."""
    harness = Harness(account)
    harness.client("sqs").create_queue(QueueName="here")
    (call,) = harness.log.calls
    never = msgspec.structs.replace(call, number=2, request_id="11111111-2222-3333-4444-555555555555")
    comparison = harness.compare(call, never)
    assert (comparison.missing, comparison.agrees) == ((never,), False)
    assert "ask again later" in comparison.describe()
    late = compare([call, never], account.client, dt.datetime.now(dt.UTC) + LATEST)
    assert "ask again later" not in late.describe()


def test_an_unanswered_call_is_no_proof_of_anything(account: EmulatedAccount) -> None:
    """Its event has an id that nobody knows: it is neither missing nor somebody else's."""
    harness = Harness(account)
    harness.client("sns").create_topic(Name="answered")
    harness.client("sns").create_topic(Name="unanswered")
    first, second = harness.log.calls
    comparison = harness.compare(first, msgspec.structs.replace(second, request_id="", outcome="sent"))
    assert len(comparison.unanswered) == 1
    assert comparison.missing == ()
    assert "CreateTopic" not in {event.name for event in comparison.foreign}


def test_an_unanswered_call_excuses_one_event_alone(account: EmulatedAccount) -> None:
    """What somebody else did by the same name is told all the same."""
    harness = Harness(account)
    harness.client("events").put_rule(Name="answered", ScheduleExpression="rate(1 day)")
    harness.client("events").put_rule(Name="unanswered", ScheduleExpression="rate(1 day)")
    account.client("events", "us-west-2").put_rule(Name="theirs", ScheduleExpression="rate(1 day)")
    first, second = harness.log.calls
    comparison = harness.compare(first, msgspec.structs.replace(second, request_id="", outcome="sent"))
    assert [e.name for e in comparison.foreign].count("PutRule") == 1
    assert not comparison.agrees


def test_a_run_that_is_not_there_at_all_agrees_with_nothing(account: EmulatedAccount) -> None:
    """Absence is no evidence: nothing found is not all found."""
    assert not compare([], account.client, dt.datetime.now(dt.UTC)).agrees
