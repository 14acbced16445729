"""What somebody does wrong with a real account is played here as the command lines play it, up to the first refusal."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import os
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest

from infra_fixtures.faults.fault import Fault, Injection
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.schedule import Schedule, injected_in_turn
from infra_fixtures.orphan_runs import refuse_orphans
from infra_fixtures.planning import agreement
from infra_fixtures.planning.agreement import agreed, rehearsed
from infra_fixtures.planning.plan import Intent
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.targets import read_options
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import World
from tests.infra_fixtures.planning import account_target
from tests.infra_fixtures.planning.conftest import ALLOWED

LASTS_S = 600.0

ASKED_WITHIN_S = 30.0


class AskedOf(Fault, frozen=True):
    """A fault of somebody's own, which asks something of AWS that its author should not have."""

    service: str
    operation: str
    parameters: dict[str, Any]
    region: str = "us-east-1"
    of: ClassVar[str] = "test"

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""

        def act(_learn: Any) -> None:
            getattr(world.client(self.service, self.region), self.operation)(**self.parameters)

        return Injection("test", [], act)


@dataclass
class Bench:
    """One attempt; every case changes something of what would be right."""

    tmp_path: Path
    patch: pytest.MonkeyPatch
    stack: contextlib.ExitStack
    text: str = ALLOWED
    options: dict[str, Any] = field(default_factory=lambda: {"yes": account_target.ACCOUNT})
    faults: tuple[Fault, ...] = (LambdaThrottled(),)
    load: float = 220.0
    lasts_s: float = LASTS_S
    shown: list[str] = field(default_factory=list)
    meanwhile: Callable[[World], object] = lambda _world: None
    """What happens while the fault stands."""

    def says(self, old: str, new: str) -> Bench:
        """Another game day file: `new` in place of `old`."""
        assert old in self.text, old
        self.text = self.text.replace(old, new, 1)
        return self

    def drills(self, *faults: Fault) -> Bench:
        """Other faults."""
        self.faults = faults
        return self

    def environment(self, **variables: str) -> None:
        """Set what boto3 reads; an empty word takes a variable away."""
        for name, value in variables.items():
            if value:
                self.patch.setenv(name, value)
            else:
                self.patch.delenv(name, raising=False)

    def owner(self, service: str, region: str = "us-west-2") -> Any:
        """A client of the account's owner, whom nobody guards and nothing counts."""
        return boto3.client(service, region_name=region)

    def alarm_is(self, state: str) -> None:
        """Move the alarm, for this attempt."""
        cloudwatch = self.owner("cloudwatch")
        self.stack.callback(cloudwatch.set_alarm_state, AlarmName="checkout-5xx", StateValue="OK", StateReason="over")
        cloudwatch.set_alarm_state(AlarmName="checkout-5xx", StateValue=state, StateReason="too many errors")

    def answers(self, service: str, status: int, body: str) -> None:
        """A server that says the same to whatever a service is asked."""
        url = self.stack.enter_context(answering(status, body))
        self.environment(**{f"AWS_ENDPOINT_URL_{service}": url})

    def types(self, word: str) -> None:
        """A terminal on which a person types that, once asked: what is typed before is no answer."""
        ours, theirs = os.openpty()
        self.stack.callback(os.close, ours)
        self.stack.callback(os.close, theirs)
        self.patch.setattr(agreement, "TERMINAL", os.ttyname(theirs))

        def person() -> None:
            with contextlib.suppress(OSError):  # nobody asks, and the terminal goes
                if select.select([ours], [], [], ASKED_WITHIN_S)[0]:
                    os.write(ours, f"{word}\n".encode())

        threading.Thread(target=person, daemon=True).start()

    def run(self) -> Header:
        """The run as its journal would tell it; reads the options as every command line does."""
        path = self.tmp_path / "gameday.toml"
        path.write_text(self.text)
        given = {"gameday": str(path), "dry_run": False, **self.options}
        options = read_options("account", given.get)
        return Header("run-1", "account", 1.0, options, str(self.tmp_path), str(self.tmp_path / "runs" / "run-1"))

    def attempt(self) -> None:
        """Do what `pytest scenarios` and `python -m scenarios play` do, without traffic."""
        runs_dir = self.tmp_path / "runs"
        refuse_orphans(runs_dir)
        run = self.run()
        directory = runs_dir / "run-1"
        directory.mkdir(parents=True, exist_ok=True)
        schedule = Schedule.of(*self.faults)
        intent = Intent(title="misuse", objectives={"rto_s": 300.0}, load=self.load, lasts_s=self.lasts_s)
        told = agreed(run, intent, schedule, directory, self.shown.append)
        journal = Journal(directory)
        self.stack.callback(journal.close)
        with account_target.held(told, lambda: True) as conditions:
            config = TargetConfig(told, journal, None, conditions)  # type: ignore[arg-type]
            with account_target.stand(config) as world:
                rehearsed(told, intent, schedule, world, directory, self.shown.append)
                with injected_in_turn(world, schedule, lambda *_a, **_k: None):
                    self.meanwhile(world)


@contextlib.contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The URL of a server whose every answer is the same."""

    class Same(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Same)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def stamp(after_s: float) -> str:
    """A moment as TOML writes it."""
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=after_s):%Y-%m-%dT%H:%M:%SZ}"
