"""Each duty has its own credentials: roles are assumed for as long as the drill needs, or refused before anything is done."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from drill.unusable import UnusableInput
from infra_fixtures.targets.aws.account import Divided
from infra_fixtures.targets.aws.options import Emulator, Settings
from infra_fixtures.targets.aws.sessions import duty
from infra_fixtures.targets.aws.target import session_objections
from infra_fixtures.targets.emulated_account import REGIONS, EmulatedAccount

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def _settings(account: EmulatedAccount, hours: float = 1.0, **roles: str) -> Settings:
    host, _, port = account.name_server.partition(":")
    emulator = Emulator(account.endpoints, (host, int(port)))
    return Settings(None, roles, hours, "", "", "", emulator)


@pytest.fixture
def role(account: EmulatedAccount, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role whose sessions last two hours at most, and the account's credentials in the environment."""
    for name, value in account.credentials.items():
        monkeypatch.setenv(name, value)
    iam = account.client("iam")
    made = iam.create_role(RoleName="breaker", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=7200)
    yield str(made["Role"]["Arn"])
    iam.delete_role(RoleName="breaker")


def test_a_role_is_assumed_under_the_name_of_the_run(account: EmulatedAccount, role: str) -> None:
    """In every region, and its end is known; the emulated account knows the credentials that it gave."""
    breaker = duty(_settings(account, breaker=role), "breaker", "20261128T000000Z-abc", lambda client: None)
    for region in REGIONS:
        said = breaker.client("sts", region).get_caller_identity()
        assert said["Arn"].endswith("assumed-role/breaker/drill-20261128T000000Z-abc-breaker")
    assert breaker.ends is not None
    assert dt.timedelta(minutes=55) < breaker.ends - dt.datetime.now(dt.UTC) <= dt.timedelta(hours=1)
    breaker.close()


def test_without_a_role_the_credentials_themselves_are_used(account: EmulatedAccount, role: str) -> None:
    """Which have no end that is known here."""
    own = duty(_settings(account, breaker=role), "observer", "run", lambda client: None)
    assert own.ends is None
    assert own.client("iam", None).get_role(RoleName="breaker")["Role"]["Arn"] == role
    own.close()


def test_a_session_that_would_end_too_early_is_refused(account: EmulatedAccount, role: str) -> None:
    """AWS says how long a role's sessions may last; the sentence names the option and the remedy."""
    with pytest.raises(UnusableInput, match=r"--aws-breaker-role .* for 3 h .*MaxSessionDuration"):
        duty(_settings(account, hours=3.0, breaker=role), "breaker", "run", lambda client: None)
    with pytest.raises(UnusableInput, match=r"cannot be assumed .*trust policy"):
        duty(_settings(account, breaker=f"{role}-none"), "breaker", "run", lambda client: None)


def test_sessions_that_are_too_short_for_the_drill_are_an_objection(account: EmulatedAccount) -> None:
    """By the plan's estimate and what healing takes; credentials that are nobody's role are the guard's to judge."""
    roles = {"breaker": "arn:aws:iam::123456789012:role/breaker"}
    assert list(session_objections(_settings(account, hours=1.0, **roles), 2600.0)) == []
    (sentence,) = session_objections(_settings(account, hours=1.0, **roles), 2800.0)
    assert "--aws-hours" in sentence
    assert list(session_objections(_settings(account, hours=1.0), 1e6)) == []


def test_what_reads_is_the_observers_and_what_changes_the_breakers(account: EmulatedAccount) -> None:
    """One client for faults and probes, two credentials: CloudTrail shows who did what."""
    sent: list[str] = []
    observer, breaker = account.client("lambda", REGIONS[0]), account.client("lambda", REGIONS[0])
    for name, client in (("observer", observer), ("breaker", breaker)):
        client.meta.events.register(
            "before-call.lambda", lambda model, name=name, **_: sent.append(f"{name} {model.name}")
        )
    both = Divided(observer, breaker)
    both.list_functions()
    list(both.get_paginator("list_functions").paginate())
    with pytest.raises(ClientError, match="ResourceNotFound"):
        both.put_function_concurrency(FunctionName="none", ReservedConcurrentExecutions=0)
    assert sent == ["observer ListFunctions", "observer ListFunctions", "breaker PutFunctionConcurrency"]
    assert both.meta.region_name == REGIONS[0]
