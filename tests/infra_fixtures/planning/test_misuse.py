"""Whatever is done wrong with a real account is refused in one sentence, before the first call that changes something.

Each row is one mistake. The evidence is what left the clients: botocore's own events, counted beside the product's log.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.nothing import Nothing
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.planning import agreement
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.target_lock import LockPlace, take
from infra_fixtures.safety.undo import RestoreRegion
from tests.infra_fixtures.planning.account_target import ACCOUNT, FUNCTION, SENT, STANDING, TAG
from tests.infra_fixtures.planning.conftest import ALLOWED
from tests.infra_fixtures.planning.misuse_bench import AskedOf, Bench, stamp

WINDOW = ALLOWED[ALLOWED.index("[[window]]") : ALLOWED.index("[[alarm]]")]
ALARM = ALLOWED[ALLOWED.index("[[alarm]]") :]
OTHER_ACCOUNT = "999999999999"
THEIRS = f"arn:aws:lambda:us-east-1:{OTHER_ACCOUNT}:function:f"
ELSEWHERE = {"LocationConstraint": "eu-west-1"}
FORBIDDEN = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
EXPIRED = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>it has</Message></Error></ErrorResponse>"
UNKNOWN_KEY = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"
LEVER = '{"safetyLever": {"id": "default", "state": {"status": "engaged", "reason": "freeze until Monday"}}}'


def window(opens_s: float, closes_s: float) -> str:
    """Another window, by seconds from now."""
    return f"[[window]]\nopens = {stamp(opens_s)}\ncloses = {stamp(closes_s)}\n\n"


def untagged(bench: Bench) -> None:
    """The function has lost its tag, for this attempt."""
    owner = bench.owner("lambda", "us-east-1")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{FUNCTION}"
    bench.stack.callback(owner.tag_resource, Resource=arn, Tags={TAG["Key"]: TAG["Value"]})
    owner.untag_resource(Resource=arn, TagKeys=[TAG["Key"]])


def untagged_network(bench: Bench, parts: Mapping[str, str]) -> Bench:
    """A part of the primary's network has lost its tag, for this attempt."""
    owner, part = bench.owner("ec2", "us-east-1"), parts["us-east-1"]
    bench.stack.callback(owner.create_tags, Resources=[part], Tags=[TAG])
    owner.delete_tags(Resources=[part], Tags=[TAG])
    return bench


def lock_held(bench: Bench) -> None:
    """Somebody else's game day runs in the account."""
    held = take(LockPlace(bench.owner("s3"), ACCOUNT, "account"), "run-of-somebody")
    bench.stack.callback(held.release)


def lock_left(bench: Bench) -> None:
    """Somebody else's game day died in the account."""
    place = LockPlace(bench.owner("s3"), ACCOUNT, "account")
    held = take(place, "run-that-died", lease_s=-10.0)
    held.stop()
    bench.stack.callback(place.s3.delete_object, Bucket=place.bucket, Key=place.target)


def unhealed(bench: Bench) -> None:
    """A run died here and left a fault."""
    journal = Journal(bench.tmp_path / "runs" / "run-0")
    journal.stands_up(Header("run-0", "account", 1.0))
    journal.begin("region_lost", [RestoreRegion("us-east-1")])
    journal.close()


def no_terminal(bench: Bench) -> None:
    """Nobody agreed, and there is nobody to ask."""
    bench.options["yes"] = None
    bench.patch.setattr(agreement, "TERMINAL", str(bench.tmp_path / "no-terminal"))


def typed(bench: Bench, word: str) -> None:
    """A person types that."""
    bench.options["yes"] = None
    bench.types(word)


def unreachable(bench: Bench, service: str) -> None:
    """Nobody answers for a service."""
    bench.environment(**{f"AWS_ENDPOINT_URL_{service}": "http://127.0.0.1:9"})


def no_credentials(bench: Bench) -> None:
    """Nobody has signed in."""
    bench.environment(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_DISABLED="true")


Mistake = Callable[[Bench], object]

MISUSE: dict[str, tuple[Mistake, str]] = {
    # What is allowed is not said, or not so that it can be understood.
    "no game day file": (
        lambda b: b.options.update(gameday=None),
        r"the target account changes a real account, and nothing says what it may touch: give --gameday FILE",
    ),
    "a file that is not there": (
        lambda b: b.options.update(gameday=str(b.tmp_path / "other.toml")),
        r"other\.toml is not there: write what the game day may do",
    ),
    "no TOML": (lambda b: b.says("[tag]", "[tag"), r"gameday\.toml is not TOML: "),
    "an unknown key": (lambda b: b.says("accounts", "acounts"), r"there is no key acounts; did you mean accounts\?"),
    "a key of a table": (
        lambda b: b.says("resources =", "resource ="),
        r"blast_radius has no key resource; did you mean",
    ),
    "a wrong type": (
        lambda b: b.says('"123456789012"', "123456789012"),
        r"accounts\[0\] is not understood: expected `str`, got `int`",
    ),
    "a short account id": (
        lambda b: b.says('"123456789012"', '"1234"'),
        r"'1234' is no account id: write its 12 digits",
    ),
    "a region's typo": (
        lambda b: b.says('"us-west-2"', '"us-wset-2"'),
        r"no region us-wset-2; did you mean us-west-2\?",
    ),
    "a window without a zone": (
        lambda b: b.says(WINDOW, window(-60, 7200).replace("Z", "")),
        r"has no time zone: write such as opens = ",
    ),
    "a window the wrong way round": (lambda b: b.says(WINDOW, window(7200, -60)), r"closes before it opens"),
    "no window": (lambda b: b.says(WINDOW, ""), r"no \[\[window\]\] and no \[\[weekly_window\]\]: say when"),
    "no alarm": (
        lambda b: b.says(ALARM, ""),
        r"there is no \[\[alarm\]\]: name a CloudWatch alarm that ends the drill",
    ),
    "no approver": (
        lambda b: b.says('["ana@example.com", "ben@example.com"]', "[]"),
        r"approvers is empty, or has an empty word in it: name at least one",
    ),
    "no ticket": (lambda b: b.says("CHG-2026-0412", ""), r"ticket is empty: write the number of the change ticket"),
    "no blast radius": (
        lambda b: b.says(ALLOWED[ALLOWED.index("[blast_radius]") : ALLOWED.index("[[window]]")], ""),
        r"blast_radius is missing: write it",
    ),
    "no tag": (
        lambda b: b.says('[tag]\nkey = "dr-drill"\nvalue = "may-break"\n', ""),
        r"tag is missing: write it",
    ),
    "a service's typo": (
        lambda b: b.says('["lambda", "ec2"]', '["lamda"]'),
        r"no service lamda; did you mean lambda\?",
    ),
    "a fault's typo": (
        lambda b: b.says("lambda_throttled", "lamda_throttled"),
        r"there is no fault lamda_throttled; did",
    ),
    # The credentials.
    "no credentials": (no_credentials, r"there are no AWS credentials: sign in"),
    "a profile that is not there": (
        lambda b: b.environment(AWS_PROFILE="production"),
        r"profile \(production\) could not be found: give an AWS_PROFILE that there is",
    ),
    "expired credentials": (
        lambda b: b.answers("STS", 403, EXPIRED),
        r"the AWS credentials have expired: sign in again",
    ),
    "credentials that AWS does not know": (
        lambda b: b.answers("STS", 403, UNKNOWN_KEY),
        r"AWS does not know the credentials \(InvalidClientTokenId\)",
    ),
    "nobody says whose they are": (
        lambda b: unreachable(b, "STS"),
        r"who the AWS credentials are cannot be asked for \(.*\): mend that and try again",
    ),
    "credentials that ended": (
        lambda b: b.environment(AWS_SESSION_TOKEN="token", AWS_CREDENTIAL_EXPIRATION=stamp(-60)),
        r"the AWS credentials have expired: sign in again",
    ),
    "credentials that end before the drill": (
        lambda b: b.environment(AWS_SESSION_TOKEN="token", AWS_CREDENTIAL_EXPIRATION=stamp(300)),
        r"the AWS credentials end in \d+ s, and the drill is estimated to take 600 s: sign in again",
    ),
    "credentials of another account": (
        lambda b: b.says("123456789012", OTHER_ACCOUNT),
        rf"are of the account {ACCOUNT} \(arn:.*\), which .* does not allow \({OTHER_ACCOUNT}\): use other",
    ),
    # Nobody agreed.
    "no terminal and no --yes": (
        no_terminal,
        rf"no terminal on which somebody could agree .*: give --yes {ACCOUNT} once",
    ),
    "--yes to another account": (
        lambda b: b.options.update(yes=OTHER_ACCOUNT),
        rf"--yes {OTHER_ACCOUNT} is not the account that would be changed, {ACCOUNT}: look at the plan again",
    ),
    "--yes without an account": (
        lambda b: b.options.update(yes="yes"),
        rf"--yes yes is not the account that would be changed, {ACCOUNT}",
    ),
    "another account is typed": (
        lambda b: typed(b, OTHER_ACCOUNT),
        rf"{OTHER_ACCOUNT} was typed, and not {ACCOUNT} or shop-prod: nothing was changed",
    ),
    "nothing is typed": (lambda b: typed(b, ""), rf"nothing was typed, and not {ACCOUNT} or shop-prod"),
    # The hour.
    "before the window": (lambda b: b.says(WINDOW, window(3600, 7200)), r"no window is open \(.* UTC\): wait for one"),
    "after the window": (lambda b: b.says(WINDOW, window(-7200, -3600)), r"no window is open \(.* UTC\): wait for one"),
    "a window that closes before the drill ends": (
        lambda b: b.says(WINDOW, window(-60, 300)),
        r"the window closes in \d+ s, at .* UTC, and the drill is estimated to take 600 s: begin earlier",
    ),
    # What should warn of harm does not.
    "an alarm that is not there": (
        lambda b: b.says('name = "checkout-5xx"', 'name = "checkout-4xx"'),
        r"the alarm checkout-4xx in us-west-2, which is to end the drill, is not there: name one that is",
    ),
    "an alarm that fires already": (
        lambda b: b.alarm_is("ALARM"),
        r"checkout-5xx in us-west-2, .* is in ALARM already \(too many errors\): see to that first",
    ),
    "an alarm that knows nothing": (
        lambda b: b.alarm_is("INSUFFICIENT_DATA"),
        r"is in INSUFFICIENT_DATA, so that nobody knows whether it would warn: wait until it is OK",
    ),
    "an alarm that may not be read": (
        lambda b: b.answers("CLOUDWATCH", 403, FORBIDDEN),
        r"cannot be read \(.*AccessDenied.*\): allow cloudwatch:DescribeAlarms",
    ),
    "the safety lever": (
        lambda b: b.answers("FIS", 200, LEVER),
        r"the safety lever of FIS in us-east-1 is engaged \(freeze until Monday\): whoever engaged it must disengage it",
    ),
    # Somebody else is at it, or has left something.
    "a second game day": (lock_held, r"the target account is held by run-of-somebody of .* since .*: wait until"),
    "a game day that died in the account": (
        lock_left,
        r"was held by run-that-died of .*, which died without giving it",
    ),
    "a run that is not healed": (unhealed, r"the run run-0 died and may have left a fault or processes: run"),
    # More than was allowed.
    "a fault that is not allowed": (
        lambda b: b.drills(Nothing()),
        r"nothing is none of the faults that .* allows \(lambda_throttled, .*\): leave it out, or add it",
    ),
    "a service that is not allowed": (
        lambda b: b.says('["lambda", "ec2"]', '["ec2"]'),
        r"lambda is none of the services that faults may change by .* \(ec2\): leave the fault out, or",
    ),
    "too many resources": (
        lambda b: b.says("resources = 6", "resources = 1").drills(LambdaThrottled(), SecurityGroupRevoked()),
        r"the faults would touch 2 resources, and .* allows 1: leave one out, or raise",
    ),
    "too much load": (
        lambda b: setattr(b, "load", 500.0),
        r"the load is up to 500 requests a second, and .* allows 300: give a lower --max-rate",
    ),
    # What is not the run's to touch.
    "a resource that lost its tag": (untagged, rf"{FUNCTION} is not tagged dr-drill=may-break; tag it if the run may"),
    "a region that is not allowed": (
        lambda b: b.says('"us-east-1", ', ""),
        r"lambda PutFunctionConcurrency in us-east-1 was not done: us-east-1 is none of the regions allowed",
    ),
    "a region that is lost where it may not": (
        lambda b: b.says('"us-east-1", ', "").drills(RegionLost()),
        r"lose_region in us-east-1 was not done: us-east-1 is none of the regions allowed",
    ),
    "a service without a region": (
        lambda b: b.says(', "global"', "").drills(
            AskedOf("route53", "update_health_check", {"HealthCheckId": STANDING[0].health_check, "Inverted": True})
        ),
        r"route53 UpdateHealthCheck in global was not done: global is none of the regions allowed",
    ),
    "a function of another account": (
        lambda b: b.drills(AskedOf("lambda", "delete_function", {"FunctionName": THEIRS})),
        rf"{THEIRS} belongs to an account that is none of those allowed",
    ),
    "a bucket in another region": (
        lambda b: b.drills(AskedOf("s3", "create_bucket", {"Bucket": "b", "CreateBucketConfiguration": ELSEWHERE})),
        r"s3 CreateBucket in us-east-1 was not done: eu-west-1 is none of the regions allowed",
    ),
    "what nobody can tell the tag of": (
        lambda b: b.drills(AskedOf("sqs", "create_queue", {"QueueName": "q"})),
        r"sqs CreateQueue in us-east-1 was not done: it cannot be told which resource it touches",
    ),
    "a region that the system does not have": (
        lambda b: b.drills(LambdaThrottled(region="eu-central-1")),
        r"eu-central-1 is no region of this system: give one of",
    ),
    "a network that lost its tag": (
        lambda b: untagged_network(b, STANDING[0].vpcs).drills(SubnetsIsolated()),
        r"ec2 CreateNetworkAcl in us-east-1 was not done: vpc-[0-9a-f]+ is not tagged",
    ),
    "a fault that may not be healed": (
        lambda b: untagged_network(b, STANDING[0].acls).drills(SubnetsIsolated()),
        r"ec2 ReplaceNetworkAclAssociation in us-east-1 was not done: acl-[0-9a-f]+ is not tagged",
    ),
}


@pytest.fixture
def bench(account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """An attempt in which all is right."""
    with contextlib.ExitStack() as stack:
        yield Bench(tmp_path, monkeypatch, stack)


def test_there_are_forty_mistakes() -> None:
    """As many as were promised, and more."""
    assert len(MISUSE) >= 40


@pytest.mark.parametrize("mistake", MISUSE)
def test_each_mistake_is_refused_before_anything_is_changed(bench: Bench, mistake: str) -> None:
    """One sentence, and nothing that changes something left the clients: neither by botocore's events nor by the log."""
    make, sentence = MISUSE[mistake]
    make(bench)
    SENT.operations.clear()
    with pytest.raises(UnusableInput, match=sentence) as said:
        bench.attempt()
    assert "\n" not in str(said.value), "more than one sentence"
    assert not re.search(r"Traceback|object at 0x", str(said.value))
    assert SENT.changing == []
    assert read_calls(bench.tmp_path / "runs" / "run-1" / CALLS) == []


def test_what_is_right_is_done_and_noted(bench: Bench) -> None:
    """The same attempt without a mistake: the table above fails for its mistakes alone. What was sent is what was noted."""
    bench.attempt()
    assert "lambda.PutFunctionConcurrency" in SENT.changing
    noted = read_calls(bench.tmp_path / "runs" / "run-1" / CALLS)
    assert sorted(f"{c.service}.{c.operation}" for c in noted) == sorted(SENT.changing)
    assert {c.outcome for c in noted} == {"done"}
    assert {c.operation for c in noted if c.service == "lambda"} == {
        "PutFunctionConcurrency",
        "DeleteFunctionConcurrency",
    }
    left = bench.owner("lambda", "us-east-1").get_function_concurrency(FunctionName=FUNCTION)
    assert "ReservedConcurrentExecutions" not in left
