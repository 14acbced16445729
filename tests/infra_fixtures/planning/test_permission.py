"""The permission that a target of real accounts asks for, and what a healer may do without one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.target_lock import HeldLock
from infra_fixtures.targets.permission import healing_guard, permission
from tests.infra_fixtures.planning.account_target import ACCOUNT, FUNCTION, SENT, STANDBY, session
from tests.infra_fixtures.planning.conftest import ALLOWED
from tests.infra_fixtures.planning.test_misuse import WINDOW, window

PRIMARY = "us-east-1"


@pytest.fixture
def run(account: str, tmp_path: Path) -> Header:
    """A run that somebody agreed to."""
    options = {"gameday": {"path": "gameday.toml", "text": ALLOWED}, "yes": ACCOUNT}
    return Header("run-1", "account", 1.0, options, str(tmp_path), str(tmp_path))


def with_text(run: Header, text: str) -> Header:
    """The run under another file."""
    return Header(
        run.run_id, run.target, run.pace, {**run.options, "gameday": {"path": "g", "text": text}}, "", run.records
    )


def test_the_lock_is_a_stop_condition_beside_window_and_alarms(run: Header) -> None:
    """All three end a drill; the lock is in the standby's region, given back, and its calls are in the log."""
    with permission(run, session()).lock(STANDBY, lambda: True) as conditions:
        assert [str(c).split(" ")[1] for c in conditions] == ["window", "alarm", "lock"]
        assert isinstance(conditions[-1], HeldLock)
        with (
            pytest.raises(UnusableInput, match="is held by run-1"),
            permission(run, session()).lock(STANDBY, lambda: True),
        ):
            pass
    noted = read_calls(Path(run.records, CALLS))
    assert {c.resources[0] for c in noted} == {f"failover-drill-lock-{ACCOUNT}-{STANDBY}"}
    assert [f"{c.service}.{c.operation}" for c in noted] == SENT.changing
    with permission(run, session()).lock(STANDBY, lambda: True):
        pass


def test_nobody_holds_what_nobody_agreed_to(run: Header) -> None:
    """Without consent, and out of the regions that are allowed, not even the lock is written."""
    undecided = Header(run.run_id, run.target, run.pace, {**run.options, "yes": None}, "", run.records)
    with (
        pytest.raises(UnusableInput, match=f"nobody has agreed to change the account {ACCOUNT}: run it in a terminal"),
        permission(undecided, session()).lock(STANDBY, lambda: True),
    ):
        pass
    with (
        pytest.raises(Refused, match="eu-west-1 is none of the regions allowed"),
        permission(run, session()).lock("eu-west-1", lambda: True),
    ):
        pass
    assert SENT.changing == []


@pytest.fixture
def throttled(run: Header) -> Iterator[None]:
    """A fault of a dead run stands in the account."""
    own = session()
    permission(run, own).protect(own)
    client = own.client("lambda", region_name=PRIMARY)
    client.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
    yield
    with contextlib.suppress(Exception):
        session().client("lambda", region_name=PRIMARY).delete_function_concurrency(FunctionName=FUNCTION)


def test_whoever_heals_needs_no_window_and_no_consent(run: Header, throttled: None) -> None:
    """On another day the same accounts, regions and tag hold, and nothing else; its calls are noted where the run's are."""
    over = with_text(run, ALLOWED.replace(WINDOW, window(-7200, -3600)).replace("resources = 6", "resources = 1"))
    own = session()
    guard, log = healing_guard(over, own)
    guard.protect(own)
    log.watch(own)
    client = own.client("lambda", region_name=PRIMARY)
    client.delete_function_concurrency(FunctionName=FUNCTION)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=FUNCTION)
    with pytest.raises(Refused, match="eu-west-1 is none of the regions"):
        own.client("lambda", region_name="eu-west-1").delete_function(FunctionName=FUNCTION)
    assert [c.operation for c in read_calls(Path(run.records, CALLS))] == [
        "PutFunctionConcurrency",
        "DeleteFunctionConcurrency",
    ]


def test_a_healer_with_other_credentials_is_refused(run: Header, throttled: None) -> None:
    """Its account is asked for, and is none of the file's."""
    own = session()
    guard, _ = healing_guard(with_text(run, ALLOWED.replace(ACCOUNT, "999999999999")), own)
    guard.protect(own)
    SENT.operations.clear()
    with pytest.raises(Refused, match=f"the account {ACCOUNT} is none of those allowed"):
        own.client("lambda", region_name=PRIMARY).delete_function_concurrency(FunctionName=FUNCTION)
    assert SENT.changing == []
