"""ARC through scripted endpoints that speak its API: five of a cluster, of which some are away, and a plan that takes time."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra_fixtures.faults.arc_region_switch import ArcRegionSwitch
from infra_fixtures.faults.arc_routing_controls import ArcRoutingControls
from infra_fixtures.faults.fault import injected
from infra_fixtures.safety import arc
from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.touched import touched
from infra_fixtures.targets.world import World

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
LEFT = (
    "arn:aws:route53-recovery-control::123456789012:controlpanel/0123456789bbbbbbb0123456789bbbbb/routingcontrol/left"
)
RIGHT = LEFT.replace("/left", "/right")
PLAN = "arn:aws:arc-region-switch::123456789012:plan/orders:abc123"


@dataclass
class Script:
    """What the scripted AWS holds and was asked; `away` are endpoints that do not do it now, `refuses` an error of all."""

    states: dict[str, str] = field(default_factory=lambda: {LEFT: "On", RIGHT: "Off"})
    away: set[str] = field(default_factory=set)
    refuses: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    updates: list[dict[str, str]] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)
    ends_as: str = "completed"
    looks: int = 0
    busy: int = 0

    def answer(self, region: str, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of a call to a cluster's endpoint."""
        self.asked.append((region, operation))
        if self.refuses or region in self.away:
            return 400, {"__type": self.refuses or "EndpointTemporarilyUnavailableException", "message": "scripted"}
        if operation == "GetRoutingControlState":
            return 200, {
                "RoutingControlArn": given["RoutingControlArn"],
                "RoutingControlState": self.states[given["RoutingControlArn"]],
            }
        changed = {e["RoutingControlArn"]: e["RoutingControlState"] for e in given["UpdateRoutingControlStateEntries"]}
        self.updates.append(changed)
        self.states |= changed
        return 200, {}

    def execute(self, operation: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of a call to the plan's API; while `busy`, another execution is under way."""
        self.asked.append(("plan", operation))
        if operation == "StartPlanExecution":
            if self.busy:
                self.busy -= 1
                return 400, {"__type": "ConflictException", "message": "scripted"}
            assert (given["planArn"], given["action"]) == (PLAN, "activate")
            self.executions.append(given["targetRegion"])
            return 200, {"executionId": f"execution-{len(self.executions)}"}
        self.looks += 1
        return 200, {"executionState": "inProgress" if self.looks % 2 else self.ends_as}


@dataclass
class Account:
    """A world that is nothing but an AWS account, whose ARC is scripted."""

    journal: Journal
    urls: dict[str, str]
    target: str = "attach"
    primary: str = "us-east-1"
    standby: str = "us-west-2"
    run_id: str = "run"

    def client_at(self, service: str, region: str, url: str) -> Any:
        """At that URL."""
        return boto3.client(
            service, region_name=region, endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=5),
        )  # fmt: skip

    def client(self, service: str, region: str | None = None) -> Any:
        """The plan's API, the same in every region."""
        return self.client_at(service, region or self.primary, self.urls["plan"])

    def part(self, _kind: type) -> None:
        """None."""

    def healing(self) -> contextlib.AbstractContextManager[None]:
        """Nobody guards it."""
        return contextlib.nullcontext()


@pytest.fixture
def script() -> Script:
    """The script of one test."""
    return Script()


@pytest.fixture
def account(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The world, its endpoints served."""
    monkeypatch.setattr(arc, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(arc, "BETWEEN_ROUNDS_S", 0.02)
    with contextlib.ExitStack() as stack:
        urls = {region: stack.enter_context(_served(script, region)) for region in (*REGIONS, "plan")}
        yield Account(Journal(tmp_path / "run"), urls)


def test_states_change_together_wherever_an_endpoint_answers(account: Account, script: Script) -> None:
    """Four of five are away: one call to the fifth changes both, healing gives back what they had, and no other."""
    script.away = set(REGIONS) - {"eu-west-1"}
    fault = ArcRoutingControls(_cluster(account), off=(LEFT,), on=(RIGHT,))
    with injected(cast(World, account), fault) as effect:
        assert script.states == {LEFT: "Off", RIGHT: "On"}
        assert effect.began_ns < effect.effective_ns
    assert script.states == {LEFT: "On", RIGHT: "Off"}
    assert script.updates == [{LEFT: "Off", RIGHT: "On"}, {LEFT: "On", RIGHT: "Off"}]
    assert account.journal.open_entries() == []


def test_endpoints_that_do_not_listen_are_passed_over(account: Account, script: Script) -> None:
    """A connection that is refused is one more that is away."""
    cluster = dict.fromkeys(REGIONS, "http://127.0.0.1:9") | {"us-west-2": account.urls["us-west-2"]}
    arc.set_states(account.client_at, cluster, {LEFT: "Off"})
    assert script.states[LEFT] == "Off"


def test_where_none_does_it_nothing_is_taken_for_done(account: Account, script: Script) -> None:
    """Every endpoint is tried several times; the sentence says what they answered."""
    script.away = set(REGIONS)
    with pytest.raises(arc.ArcFailed, match=r"none of the cluster's 5 endpoints did it, 4 times each \(.*Temporarily"):
        arc.set_states(account.client_at, _cluster(account), {LEFT: "Off"})
    assert len(script.asked) == 5 * arc.ROUNDS
    assert {region for region, _ in script.asked} == set(REGIONS)
    assert script.states[LEFT] == "On"


def test_what_no_endpoint_will_ever_do_is_told_at_once(account: Account, script: Script) -> None:
    """A refusal that is not of the endpoint's own state is not tried elsewhere."""
    script.refuses = "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDenied"):
        arc.set_states(account.client_at, _cluster(account), {LEFT: "Off"})
    assert len(script.asked) == 1


def test_a_plan_activates_the_standby_and_back(account: Account, script: Script) -> None:
    """Another execution is waited for, and its own until it is completed; healing activates the primary."""
    script.busy = 2
    with injected(cast(World, account), ArcRegionSwitch(PLAN)) as effect:
        assert script.executions == ["us-west-2"]
        assert effect.subject == "us-east-1->us-west-2"
    assert script.executions == ["us-west-2", "us-east-1"]
    assert account.journal.open_entries() == []


@pytest.mark.parametrize("state", sorted(arc.STOPPED))
def test_a_plan_that_stops_is_no_failover(account: Account, script: Script, state: str) -> None:
    """Its execution and how it ended are named."""
    script.ends_as = state
    with pytest.raises(arc.ArcFailed, match=f"the execution execution-1 of {PLAN} ended as {state}"):
        arc.execute_plan(
            account.client("arc-region-switch"), PLAN, "us-west-2", action="activate", mode="graceful", timeout_s=5
        )


def test_the_guard_knows_which_routing_controls_are_touched() -> None:
    """Each that a call names, so that its tag is asked for."""
    entries = [{"RoutingControlArn": arn, "RoutingControlState": "On"} for arn in (LEFT, RIGHT)]
    found = touched("route53-recovery-cluster", {"UpdateRoutingControlStateEntries": entries})
    assert [one.value for one in found] == [LEFT, RIGHT]
    assert [one.value for one in touched("arc-region-switch", {"planArn": PLAN, "targetRegion": "us-west-2"})] == [PLAN]


def _cluster(account: Account) -> dict[str, str]:
    return {region: account.urls[region] for region in REGIONS}


@contextlib.contextmanager
def _served(script: Script, region: str) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            operation, given = self.headers["x-amz-target"].rpartition(".")[2], json.loads(body)
            answer = script.execute if region == "plan" else partial(script.answer, region)
            status, told = answer(operation, given)
            said = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
