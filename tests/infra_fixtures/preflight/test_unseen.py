"""Checks against an AWS API that refuses, and those that the embedded one cannot be broken for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber

from infra_fixtures.preflight.check import Check, Verdict, checks
from infra_fixtures.preflight.headless_standby import HeadlessStandby
from infra_fixtures.preflight.quotas import CONCURRENT, Quotas
from infra_fixtures.preflight.standby_keys import StandbyKeys
from infra_fixtures.targets.parts import (
    AlarmPart,
    BucketPart,
    Cluster,
    ControllerPart,
    DatabasePart,
    DnsPart,
    FunctionsPart,
    HealthChecksPart,
)

P = TypeVar("P")
REGIONS = ("us-east-1", "us-west-2")
PARTS: Mapping[type, Any] = {
    type(each): each
    for each in (
        AlarmPart("alarm"),
        BucketPart({r: f"bucket-{r}" for r in REGIONS}),
        ControllerPart("controller"),
        DatabasePart("global", {r: Cluster(f"c-{r}", f"arn:aws:rds:{r}:1:cluster:c-{r}") for r in REGIONS}),
        DnsPart("api.example"),
        FunctionsPart("orders"),
        HealthChecksPart({r: f"hc-{r}" for r in REGIONS}),
    )
}


class Remote:
    """A system of these parts, and clients of an AWS API that answers as a test says."""

    primary, standby = REGIONS

    def __init__(self, prepare: Callable[[Any, str, str], None], parts: Mapping[type, Any] = PARTS) -> None:
        self._prepare = prepare
        self._parts = parts

    def part(self, kind: type[P]) -> P | None:
        """One of them."""
        found = self._parts.get(kind)
        return found if isinstance(found, kind) else None

    def client(self, service: str, region: str | None = None) -> Any:
        """A client that was prepared."""
        where = region or "us-east-1"
        made = boto3.client(service, region_name=where, aws_access_key_id="a", aws_secret_access_key="b")
        self._prepare(made, service, where)
        return made


def _denying(client: Any, _service: str, _region: str) -> None:
    def deny(**_: Any) -> tuple[Any, dict[str, Any]]:
        error = {"Code": "AccessDeniedException", "Message": "not authorized"}
        return AWSResponse("", 403, {}, None), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 403}}

    client.meta.events.register("before-call", deny)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_what_may_not_be_seen_is_unknown(check: Check) -> None:
    """Where AWS refuses to tell, a check is UNKNOWN and says why: never well, and never a refusal."""
    finding = check.look(Remote(_denying))
    assert finding.verdict is Verdict.UNKNOWN
    assert "AccessDeniedException" in finding.says


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_a_system_without_the_part_is_unknown(check: Check) -> None:
    """A check names the part that it needs and nobody has described."""
    assert check.parts, "every check needs something"
    finding = check.look(Remote(_denying, {}))
    assert finding.verdict is Verdict.UNKNOWN
    assert check.parts[0].__name__ in finding.says


def test_checks_say_how_to_mend_and_where_it_is_written() -> None:
    """Each has its sentence and its page; no two have the same name."""
    assert len({check.name for check in checks()}) == len(checks()) == 15
    for check in checks():
        assert check.mend[0].islower()
        assert check.page.startswith("https://docs.aws.amazon.com/")


def _answers(scripted: Mapping[tuple[str, str], list[tuple[str, dict[str, Any]]]]) -> Callable[[Any, str, str], None]:
    def prepare(client: Any, service: str, region: str) -> None:
        stub = Stubber(client)
        for operation, answer in scripted.get((service, region), []):
            stub.add_response(operation, answer)
        stub.activate()

    return prepare


def _quota(value: float, code: str = CONCURRENT) -> list[tuple[str, dict[str, Any]]]:
    return [("get_service_quota", {"Quota": {"QuotaCode": code, "Value": value}})]


@pytest.mark.parametrize(
    ("here", "there", "verdict", "said"),
    [
        (1000.0, 1000.0, Verdict.OK, ""),
        (1000.0, 5000.0, Verdict.OK, ""),
        (5000.0, 1000.0, Verdict.REFUSE, "1000 in us-west-2 and 5000 in us-east-1"),
        (250.0, 250.0, Verdict.REFUSE, "leaves no room for the 200"),
    ],
)
def test_quotas_of_the_standby_are_compared(here: float, there: float, verdict: Verdict, said: str) -> None:
    """Less than the primary's, and less than the primary's function has reserved."""
    script = {
        ("service-quotas", "us-east-1"): _quota(here),
        ("service-quotas", "us-west-2"): _quota(there),
        ("lambda", "us-east-1"): [("get_function_concurrency", {"ReservedConcurrentExecutions": 200})],
    }
    finding = Quotas().look(Remote(_answers(script)))
    assert finding.verdict is verdict
    assert said in finding.says


def test_another_quota_is_no_answer() -> None:
    """An API that tells of something else has told nothing."""
    script = {("service-quotas", "us-east-1"): _quota(1.0, "L-OTHER")}
    assert Quotas().look(Remote(_answers(script))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (["available"], Verdict.OK),
        (["creating", "available"], Verdict.OK),
        (["creating"], Verdict.REFUSE),
        ([], Verdict.REFUSE),
    ],
)
def test_a_standby_without_an_instance_is_refused(statuses: list[str], verdict: Verdict) -> None:
    """None at all, or none that is available."""
    told = [{"DBInstanceIdentifier": f"i{n}", "DBInstanceStatus": status} for n, status in enumerate(statuses)]
    script = {("rds", "us-west-2"): [("describe_db_instances", {"DBInstances": told})]}
    assert HeadlessStandby().look(Remote(_answers(script))).verdict is verdict


@pytest.mark.parametrize(
    ("key", "state", "verdict"),
    [
        ("arn:aws:kms:us-west-2:1:key/a", "Enabled", Verdict.OK),
        ("arn:aws:kms:us-west-2:1:key/a", "PendingDeletion", Verdict.REFUSE),
        ("arn:aws:kms:us-east-1:1:key/a", "Enabled", Verdict.REFUSE),
        ("arn:aws:kms:us-east-1:1:key/mrk-a", "Enabled", Verdict.OK),
    ],
)
def test_a_function_that_needs_a_key_of_the_primary_is_refused(key: str, state: str, verdict: Verdict) -> None:
    """A single-Region key of the other region; a multi-Region key is looked for in the standby."""
    clusters = {"DBClusters": [{"DBClusterIdentifier": "c"}]}
    script: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {
        ("rds", "us-west-2"): [("describe_db_clusters", clusters)],
        ("lambda", "us-west-2"): [("get_function_configuration", {"Environment": {"Variables": {"KEY": key}}})],
        ("kms", "us-west-2"): [("describe_key", {"KeyMetadata": {"KeyId": "a", "KeyState": state}})],
    }
    assert StandbyKeys().look(Remote(_answers(script))).verdict is verdict
