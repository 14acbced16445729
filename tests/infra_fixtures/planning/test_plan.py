"""The plan: what it says, that it fits a terminal, that it is kept, and that printing it changes nothing."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drill.unusable import UnusableInput
from infra_fixtures.faults.chaos_toolkit_method import ChaosToolkitMethod
from infra_fixtures.faults.command import CommandFault
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.nothing import Nothing
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.planning import agreement
from infra_fixtures.planning.agreement import DryRun
from infra_fixtures.planning.plan import COLUMNS, Plan
from infra_fixtures.planning.walk import PlannedFault
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.way import Way
from tests.infra_fixtures.planning.account_target import ACCOUNT, FUNCTION, SENT, STANDING
from tests.infra_fixtures.planning.misuse_bench import Bench, stamp
from tests.infra_fixtures.planning.test_misuse import WINDOW, lock_held, window

PRIMARY = "us-east-1"


@pytest.fixture
def bench(account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An attempt in which all is right, of all faults that the account's system can play."""
    with contextlib.ExitStack() as stack:
        bench = Bench(tmp_path, monkeypatch, stack)
        bench.faults = (LambdaThrottled(), SecurityGroupRevoked(), SubnetsIsolated(), RegionLost())
        yield bench


def planned(bench: Bench) -> Plan:
    """The plan that a dry run keeps; it changed nothing, by botocore's events and by the product's log."""
    bench.options["dry_run"] = True
    SENT.operations.clear()
    with pytest.raises(DryRun, match="nothing was changed"):
        bench.attempt()
    assert SENT.changing == []
    assert SENT.operations, "it looked at nothing either"
    directory = bench.tmp_path / "runs" / "run-1"
    assert read_calls(directory / CALLS) == []
    (shown,) = bench.shown
    assert (directory / "plan.txt").read_text() == shown + "\n"
    return msgspec.json.decode((directory / "plan.json").read_bytes(), type=Plan)


def calls_of(fault: PlannedFault) -> list[str]:
    """In a word each."""
    return [f"{call.service}.{call.operation}" for call in fault.calls]


def test_a_dry_run_says_what_would_be_called(bench: Bench) -> None:
    """Every changing call of every fault, in its order, with what it names and what heals it."""
    plan = planned(bench)
    throttled, revoked, isolated, lost = plan.faults
    own = STANDING[0]
    assert calls_of(throttled) == ["lambda.PutFunctionConcurrency"]
    assert throttled.calls[0].resources == (FUNCTION,)
    assert throttled.heals == (f"lambda delete_function_concurrency in {PRIMARY}",)
    assert "NotEffective" in throttled.note, "it reads back what it changed, and nothing was changed"
    assert calls_of(revoked) == ["ec2.RevokeSecurityGroupIngress"]
    assert revoked.calls[0].resources == (own.groups[PRIMARY],)
    assert revoked.note == ""
    assert calls_of(isolated) == ["ec2.CreateNetworkAcl", "ec2.ReplaceNetworkAclAssociation"]
    assert len(isolated.heals) == 2
    assert calls_of(lost) == [".lose_region"]
    assert "power" in lost.note


def test_no_program_is_run_in_a_rehearsal(bench: Bench) -> None:
    """An owner's command and a method of Chaos Toolkit would really break something: they are planned as powers, and not run."""
    done = bench.tmp_path / "done"
    program = bench.tmp_path / "chaos"
    program.write_text(f"#!/bin/sh\ntouch {done}\n")
    program.chmod(0o700)
    experiment = bench.tmp_path / "experiment.json"
    experiment.write_text(json.dumps({"method": [{"type": "action", "name": "break"}]}))
    method = ChaosToolkitMethod(str(experiment), program=str(program), ends_by_itself=True)
    bench.faults = (CommandFault(f"touch {done}", heal=Way("true")), method)
    for fault in planned(bench).faults:
        assert [str(call) for call in fault.calls] == [f"power run_command in {PRIMARY}"]
        assert "a power of the target" in fault.note
    assert not done.exists()


def test_what_was_planned_is_what_is_done(bench: Bench) -> None:
    """The changing calls of the drill itself, healing and lock apart, are those of its plan."""
    bench.faults = (SecurityGroupRevoked(), SubnetsIsolated())
    plan = planned(bench)
    bench.options["dry_run"] = False
    done: list[str] = []
    directory = bench.tmp_path / "runs" / "run-1"
    bench.meanwhile = lambda _world: done.extend(
        f"{c.service}.{c.operation}" for c in read_calls(directory / CALLS) if c.service != "s3"
    )
    bench.attempt()
    assert done == [call for fault in plan.faults for call in calls_of(fault)]


def test_it_fits_a_terminal_and_says_who_when_and_how_much(bench: Bench) -> None:
    """80 columns; account, caller, hours, approvers, ticket, radius, load, price and what ends it."""
    plan = planned(bench)
    text = plan.text()
    assert max(map(len, text.splitlines())) <= COLUMNS
    words = " ".join(text.split())
    for said in (
        f"account {ACCOUNT} (shop-prod)",
        "caller arn:aws:sts::123456789012:user/moto",
        "regions us-east-1, us-west-2, global",
        "tag dr-drill=may-break",
        "ticket CHG-2026-0412",
        "approved by ana@example.com, ben@example.com",
        f"closes {plan.closes}",
        f"lambda PutFunctionConcurrency in us-east-1 on {FUNCTION}",
        "at most 6 resources, of ec2, lambda",
        "objectives rto_s 300",
        "up to 220 requests a second (at most 300 allowed)",
        "up to 600 s, with healing",
        "nothing: what it breaks is there already",
        "ends at once if the window ended at",
        "the alarm checkout-5xx in us-west-2 is in ALARM",
        "whether the safety lever of FIS in us-east-1 is engaged",
    ):
        assert said in words, said
    assert plan.closes in text


def test_a_plan_can_be_made_before_its_window_opens(bench: Bench) -> None:
    """A dry run is for the day before: what forbids the drill now is in the plan, and ends nothing."""
    bench.says(WINDOW, window(86_400, 90_000))
    bench.alarm_is("ALARM")
    plan = planned(bench)
    assert [sentence.partition(":")[0].split(" (")[0] for sentence in plan.objections] == [
        "no window is open",
        "the alarm checkout-5xx in us-west-2, which is to end the drill, is in ALARM already",
    ]
    assert plan.closes == ""
    assert "REFUSED NOW" in plan.text()


def test_whoever_types_the_alias_has_agreed(bench: Bench) -> None:
    """On a terminal of one's own; the fault is then injected and healed."""
    bench.faults = (LambdaThrottled(),)
    bench.options["yes"] = None
    bench.types("shop-prod")
    bench.attempt()
    assert "lambda.PutFunctionConcurrency" in SENT.changing


def test_a_read_only_game_day_plans_and_changes_nothing(bench: Bench) -> None:
    """Its plan is as any other's; a fault that changes something is refused, and one that does not needs no lock."""
    bench.says('ticket = "', 'read_only = true\nticket = "')
    assert planned(bench).read_only
    bench.options["dry_run"] = False
    SENT.operations.clear()
    with pytest.raises(
        UnusableInput, match=r"gameday\.toml says read_only, and this changes something: ask for the plan"
    ):
        bench.attempt()
    bench.faults = (Nothing(),)
    bench.says('faults = ["', 'faults = ["nothing", "')
    bench.attempt()
    assert SENT.changing == []


def test_a_tag_that_goes_after_the_plan_stops_the_call(bench: Bench) -> None:
    """What was true when somebody agreed is looked at again when it is done; the lock is all that was written."""
    bench.faults = (LambdaThrottled(),)
    untagging = threading.Event()
    owner = bench.owner("lambda", PRIMARY)
    arn = f"arn:aws:lambda:{PRIMARY}:{ACCOUNT}:function:{FUNCTION}"
    bench.options["yes"] = None
    ours, theirs = os.openpty()
    bench.stack.callback(os.close, ours)
    bench.stack.callback(os.close, theirs)
    bench.patch.setattr(agreement, "TERMINAL", os.ttyname(theirs))

    def person() -> None:
        """Reads the question, and while thinking about it somebody takes the tag away."""
        os.read(ours, 1024)
        owner.untag_resource(Resource=arn, TagKeys=["dr-drill"])
        untagging.set()
        os.write(ours, f"{ACCOUNT}\n".encode())

    bench.stack.callback(owner.tag_resource, Resource=arn, Tags={"dr-drill": "may-break"})
    typing = threading.Thread(target=person)
    typing.start()
    with pytest.raises(UnusableInput, match=f"{FUNCTION} is not tagged"):
        bench.attempt()
    typing.join()
    assert untagging.is_set()
    assert {operation for operation in SENT.changing if not operation.startswith("s3.")} == set()


def test_a_window_that_closes_meanwhile_ends_the_next_call_and_not_the_healing(bench: Bench) -> None:
    """The fault stands when its window closes: no other may be injected, and it is healed all the same."""
    bench.faults = (LambdaThrottled(),)
    bench.lasts_s = 0.0
    bench.says(WINDOW, f"[[window]]\nopens = {stamp(-60)}\ncloses = {stamp(6)}\n\n")

    def wait_for_the_end(world: object) -> None:
        client = world.client("lambda", PRIMARY)  # type: ignore[attr-defined]
        ended = threading.Event()
        for _ in range(200):
            try:
                client.put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
            except Refused as e:
                assert "no window is open" in str(e)  # noqa: PT017
                ended.set()
                break
            threading.Event().wait(0.05)
        assert ended.is_set()

    bench.meanwhile = wait_for_the_end
    bench.attempt()
    left = bench.owner("lambda", PRIMARY).get_function_concurrency(FunctionName=FUNCTION)
    assert "ReservedConcurrentExecutions" not in left


def test_the_lock_of_a_second_game_day_is_not_taken_over(bench: Bench) -> None:
    """Once the first one ends, the second may begin."""
    bench.faults = (LambdaThrottled(),)
    with contextlib.ExitStack() as first:
        bench.stack, own = first, bench.stack
        lock_held(bench)
        with pytest.raises(UnusableInput, match="is held by run-of-somebody"):
            bench.attempt()
    bench.stack = own
    bench.attempt()
