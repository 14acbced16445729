"""Mistakes with the aws target on its real command lines, against an emulated account: one sentence, and nothing changed.

The evidence is the account's own: its stream of changes, which tells every changing call that it answered.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pty
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from infra_fixtures.internal_api.changes import Change
from infra_fixtures.planning.plan import COLUMNS, Plan
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.target_lock import LockPlace, take
from infra_fixtures.safety.undo import RestoreRegion
from infra_fixtures.targets.emulated_account import EmulatedAccount, emulated_account

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]

LIMIT_S = 180.0
UP = ("-m", "infra_fixtures", "up")
SCENARIO = ("-m", "pytest", "scenarios", "-k", "lambda_throttled", "-p", "no:cacheprovider")
PLAY = ("-m", "scenarios", "play", "scenarios/schedules/degraded_then_lost.toml")


def stamp(after_s: float) -> str:
    """A moment as TOML writes it."""
    return f"{dt.datetime.now(dt.UTC) + dt.timedelta(seconds=after_s):%Y-%m-%dT%H:%M:%SZ}"


def allowed(account: str, *, opens_s: float = -3600, closes_s: float = 7200) -> str:
    """A game day file in which all is right."""
    return f"""\
accounts = ["{account}"]
regions = ["us-east-1", "us-west-2", "global"]
approvers = ["ana@example.com"]
ticket = "CHG-2026-0412"
requests_per_second = 300
no_alarm_because = "nobody uses it"

[tag]
key = "dr-drill"
value = "may-break"

[blast_radius]
faults = ["lambda_throttled"]
services = ["lambda"]
resources = 2

[[window]]
opens = {stamp(opens_s)}
closes = {stamp(closes_s)}
"""


@dataclass
class Changed:
    """Every change that the account tells of."""

    account: EmulatedAccount
    seen: list[Change] = field(default_factory=list)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Note them for as long as this lasts; the last ones are waited for."""
        internal = self.account.layout.internal
        (secret,) = (f"{k}: {v}" for k, v in self.account.layout.credentials.bearer.items())
        with socket.create_connection((internal.host, internal.port), timeout=5) as connection:
            connection.sendall(f"GET /_drill/changes HTTP/1.0\r\nHost: {internal}\r\n{secret}\r\n\r\n".encode())
            head = connection.recv(4096)
            assert head.startswith(b"HTTP/1.1 200") or head.startswith(b"HTTP/1.0 200"), head
            yield
            connection.settimeout(0.3)
            told = head.partition(b"\r\n\r\n")[2]
            with contextlib.suppress(TimeoutError):
                while piece := connection.recv(65_536):
                    told += piece
        self.seen = [msgspec.json.decode(line, type=Change) for line in told.splitlines() if line.startswith(b"{")]


@dataclass
class Attempt:
    """One use of a command line; a case changes what would be right."""

    account: EmulatedAccount
    place: Path
    text: str
    command: tuple[str, ...] = UP
    words: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    yes: str | None = None
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def says(self, old: str, new: str) -> Attempt:
        """Another game day file."""
        assert old in self.text, old
        self.text = self.text.replace(old, new, 1)
        return self

    def runs(self, *command: str) -> Attempt:
        """Another command."""
        self.command = command
        return self

    def agrees(self, yes: str | None) -> Attempt:
        """Another --yes; None: none."""
        self.yes = yes
        return self

    def knows(self, **variables: str) -> Attempt:
        """What boto3 reads."""
        self.environment.update(variables)
        return self

    @property
    def runs_dir(self) -> Path:
        """Where its runs are recorded."""
        return self.place / "runs"

    def arguments(self) -> list[str]:
        """The whole command."""
        path = self.place / "gameday.toml"
        path.write_text(self.text)
        endpoints = [w for where, url in self.account.endpoints.items() for w in ("--aws-endpoint", f"{where}={url}")]
        file = [] if "--gameday" in self.words else ["--gameday", str(path)]
        return [
            sys.executable, *self.command, "--target", "aws", *endpoints, "--aws-name-server", self.account.name_server,
            "--runs-dir", str(self.runs_dir), *file, *self.words, *(["--yes", self.yes] if self.yes else []),
        ]  # fmt: skip

    def run(self) -> subprocess.CompletedProcess[str]:
        """Play it where there is no terminal."""
        return subprocess.run(
            self.arguments(),
            env={**self.account.environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            start_new_session=True,
        )

    def calls(self) -> list[str]:
        """What the product's own log has."""
        return [str(call) for path in self.runs_dir.rglob(CALLS) for call in read_calls(path)]


def unhealed(attempt: Attempt) -> None:
    """A run died here."""
    journal = Journal(attempt.runs_dir / "run-0")
    journal.stands_up(Header("run-0", "aws", 1.0))
    journal.begin("region_lost", [RestoreRegion("us-east-1")])
    journal.close()


def lock_held(attempt: Attempt) -> None:
    """Somebody else drills the account."""
    place = LockPlace(attempt.account.client("s3", "us-west-2"), attempt.account.account_id, "aws")
    attempt.stack.callback(take(place, "run-of-somebody").release)


def no_key(attempt: Attempt) -> None:
    """Somebody else's access key."""
    path = attempt.place / "credentials"
    path.write_text("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = other\n")
    attempt.knows(AWS_SHARED_CREDENTIALS_FILE=str(path))


def alarm(attempt: Attempt, state: str) -> Attempt:
    """An alarm of the account's owner, in a state."""
    cloudwatch = attempt.account.client("cloudwatch", "us-west-2")
    cloudwatch.put_metric_alarm(
        AlarmName="checkout-5xx",
        Namespace="shop",
        MetricName="5xx",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        ActionsEnabled=False,
        TreatMissingData="ignore",  # nobody evaluates it away meanwhile
    )
    attempt.stack.callback(cloudwatch.delete_alarms, AlarmNames=["checkout-5xx"])
    cloudwatch.set_alarm_state(AlarmName="checkout-5xx", StateValue=state, StateReason="too many errors")
    attempt.says('no_alarm_because = "nobody uses it"\n', "")
    attempt.text += '\n[[alarm]]\nname = "checkout-5xx"\nregion = "us-west-2"\n'
    return attempt


Mistake = Callable[[Attempt], object]
MISUSE: dict[str, tuple[Mistake, str]] = {
    "no game day file": (
        lambda a: a.words.extend(["--gameday", ""]),
        "nothing says what it may touch: give --gameday FILE",
    ),
    "a file that is not there": (
        lambda a: a.words.extend(["--gameday", "/nowhere"]),
        "/nowhere is not there: write what",
    ),
    "an unknown key": (lambda a: a.says("ticket", "tickt"), "there is no key tickt; did you mean ticket?"),
    "a region's typo": (lambda a: a.says("us-west-2", "us-wset-2"), "no region us-wset-2; did you mean us-west-2?"),
    "no window": (lambda a: a.says(a.text[a.text.index("[[window]]") :], ""), "there is no [[window]] and no"),
    "another account": (lambda a: a.says(a.account.account_id, "999999999999"), "does not allow (999999999999): use"),
    "no terminal, no --yes": (lambda a: a.agrees(None), "there is no terminal on which somebody could agree"),
    "--yes to another account": (lambda a: a.agrees("999999999999"), "--yes 999999999999 is not the account that"),
    "no credentials": (
        lambda a: a.knows(AWS_SHARED_CREDENTIALS_FILE="/dev/null"),
        "there are no AWS credentials: sign in",
    ),
    "an unknown access key": (no_key, "AWS does not know the credentials (InvalidClientTokenId)"),
    "credentials that ended": (
        lambda a: a.knows(
            AWS_ACCESS_KEY_ID="a",
            AWS_SECRET_ACCESS_KEY="b",
            AWS_CREDENTIAL_EXPIRATION=stamp(-60),
            AWS_SESSION_TOKEN="c",
        ),
        "the AWS credentials have expired: sign in again",
    ),
    "a profile that is not there": (
        lambda a: a.knows(AWS_PROFILE="production"),
        "The config profile (production) could not be found",
    ),
    "an endpoint at which nobody is": (
        lambda a: a.words.extend(["--aws-endpoint", "us-west-2=http://127.0.0.1:9"]),
        "who the AWS credentials are cannot be asked for",
    ),
    "before the window": (
        lambda a: setattr(a, "text", allowed(a.account.account_id, opens_s=3600)),
        "no window is open (",
    ),
    "after the window": (
        lambda a: setattr(a, "text", allowed(a.account.account_id, closes_s=-60)),
        "no window is open (",
    ),
    "a window that closes too early": (
        lambda a: setattr(a.runs(*SCENARIO), "text", allowed(a.account.account_id, closes_s=90)),
        "and the drill is estimated to take",
    ),
    "an alarm that fires": (lambda a: alarm(a, "ALARM"), "is in ALARM already (too many errors): see to that first"),
    "an alarm that is not there": (
        lambda a: alarm(a, "OK").says('"checkout-5xx"', '"checkout-4xx"'),
        "the alarm checkout-4xx in us-west-2, which is to end the drill, is not there: name one that is",
    ),
    "an alarm without data": (lambda a: alarm(a, "INSUFFICIENT_DATA"), "is in INSUFFICIENT_DATA, so that nobody knows"),
    "a second game day": (lock_held, "the target aws is held by run-of-somebody of "),
    "a run that is not healed": (unhealed, "the run run-0 died and may have left a fault or processes: run"),
    "a standby that is not allowed": (
        lambda a: a.says(', "us-west-2"', ""),
        "us-west-2 is none of the regions allowed",
    ),
    "read only": (lambda a: a.says("ticket", "read_only = true\nticket"), "says read_only, and this changes something"),
    "a fault that is not allowed": (
        lambda a: a.says('["lambda_throttled"]', '["subnets_isolated"]').runs(*SCENARIO),
        "lambda_throttled is none of the faults that",
    ),
    "a fault's typo": (
        lambda a: a.says('["lambda_throttled"]', '["lambda_throtled"]').runs(*SCENARIO),
        "there is no fault lambda_throtled; did you mean lambda_throttled?",
    ),
    "too much load": (
        lambda a: a.says("requests_per_second = 300", "requests_per_second = 30").runs(*SCENARIO),
        "requests a second, and",
    ),
}


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """One account for all; nothing is ever made in it, but what its owner makes."""
    with emulated_account() as found:
        lock = LockPlace(found.client("s3", "us-west-2"), found.account_id, "aws")
        take(lock, "run-before").release()  # the lock's bucket is there from the account's first game day on
        yield found


@pytest.fixture
def attempt(account: EmulatedAccount, tmp_path: Path) -> Iterator[Attempt]:
    """An attempt in which all is right."""
    attempt = Attempt(account, tmp_path, allowed(account.account_id), yes=account.account_id)
    with attempt.stack:
        yield attempt


def refused(said: str, status: int, attempt: Attempt) -> str:
    """The one sentence of a refusal."""
    assert status == (4 if "pytest" in attempt.command else 2), said
    assert "Traceback" not in said
    sentences = [line for line in said.splitlines() if "error: " in line or line.startswith("ERROR: ")]
    (sentence,) = dict.fromkeys(sentences)
    return sentence


@pytest.mark.parametrize("mistake", MISUSE)
def test_each_mistake_is_refused_on_the_command_line(attempt: Attempt, mistake: str) -> None:
    """By status 2 (pytest: 4) and one sentence; the account tells of no change, and the log has none."""
    make, sentence = MISUSE[mistake]
    make(attempt)
    changed = Changed(attempt.account)
    with changed.listening():
        done = attempt.run()
    assert sentence in refused(done.stdout + done.stderr, done.returncode, attempt)
    if mistake == "a second game day":  # whoever has the lock renews it meanwhile
        changed.seen = [change for change in changed.seen if change.service != "s3"]
    assert changed.seen == []
    assert attempt.calls() == []


def test_a_dry_run_changes_nothing_and_ends_with_0(attempt: Attempt) -> None:
    """Of a scenario: the plan in 80 columns, kept in the run's directory; nobody had to agree.

    Nothing stands yet, so that what would be called was found out in another account, which is gone.
    """
    attempt.runs(*SCENARIO).agrees(None).words.append("--dry-run")
    changed = Changed(attempt.account)
    with changed.listening():
        done = attempt.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed.seen == []
    assert attempt.calls() == []
    (path,) = attempt.runs_dir.rglob("plan.json")
    plan = msgspec.json.decode(path.read_bytes(), type=Plan)
    (fault,) = plan.faults
    assert [str(call).partition(" on ")[0] for call in fault.calls] == ["lambda PutFunctionConcurrency in us-east-1"]
    made = {f"{call.service}.{call.operation}" for call in plan.made_by}
    assert {
        "ec2.CreateVpc",
        "rds.CreateGlobalCluster",
        "lambda.CreateFunction",
        "route53.ChangeResourceRecordSets",
    } <= made
    assert all(plan.run_id.lower() in name for call in fault.calls for name in call.resources)
    text = path.with_name("plan.txt").read_text()
    assert max(map(len, text.splitlines())) <= COLUMNS
    assert text in done.stdout


@pytest.mark.parametrize(
    ("typed", "sentence"), [("999999999999", "was typed, and not"), ("", "nothing was typed, and not")]
)
def test_a_person_types_something_else(attempt: Attempt, typed: str, sentence: str) -> None:
    """On a real terminal: asked once, and refused."""
    attempt.agrees(None)
    changed = Changed(attempt.account)
    with changed.listening():
        status, said = on_a_terminal(attempt, typed)
    assert sentence in refused(said, status, attempt)
    assert changed.seen == []
    assert attempt.calls() == []


def on_a_terminal(attempt: Attempt, typed: str) -> tuple[int, str]:
    """Run the command with a terminal of its own, at which a person types that once asked; its status, and all it said."""
    arguments = attempt.arguments()
    environment = {**attempt.account.environment(), **attempt.environment}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(arguments[0], arguments, environment)
    said, asked, until = b"", False, time.monotonic() + LIMIT_S
    with contextlib.suppress(OSError):  # a terminal whose last user is gone
        while time.monotonic() < until:
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            piece = os.read(terminal, 4096)
            if not piece:
                break
            said += piece
            if b"to go on: " in said and not asked:
                asked = True
                os.write(terminal, f"{typed}\n".encode())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert asked, said.decode(errors="replace")
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace").replace("\r\n", "\n")
