"""A guarded target for tests: an application that somebody else runs in a real account, found and not made.

The account is moto's server, reached as AWS is: by the environment and the ordinary chain of credentials. What is sent is
noted beside the product's own log, by an event of botocore that every request passes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import boto3
import botocore.loaders

from infra_fixtures.powers import Instant
from infra_fixtures.safety.aws_operations import READING
from infra_fixtures.safety.caller import open_session
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.parts import FunctionsPart, HealthChecksPart, MissingPart, Network, NetworkPart
from infra_fixtures.targets.permission import Outline, Permission, permission
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import DatabaseEndpoint, Entry, World

P = TypeVar("P")
PRIMARY, STANDBY = "us-east-1", "us-west-2"
ACCOUNT = "123456789012"
TAG = {"Key": "dr-drill", "Value": "may-break"}
FUNCTION = "orders"


@dataclasses.dataclass
class Sent:
    """Every operation that left a boto3 client of this target, by botocore's own events."""

    operations: list[str] = dataclasses.field(default_factory=list)

    def note(self, event_name: str, **_: Any) -> None:
        """An event before-send.SERVICE.OPERATION."""
        self.operations.append(event_name.split(".", 1)[1])

    @property
    def changing(self) -> list[str]:
        """Those whose names do not say that they read."""
        return [o for o in self.operations if not READING.match(o.split(".")[1])]


SENT = Sent()


LOADER = botocore.loaders.create_loader()
"""Of AWS's descriptions: each session would read megabytes of them again."""


def session() -> Any:
    """The ordinary chain, and everything that it sends is noted."""
    own = open_session()
    own._session.register_component("data_loader", LOADER)
    own.events.register("before-send", SENT.note)
    return own


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What stands in the account, by region: the VPC, its subnet, the subnet's ACL, a security group; and a health check."""

    groups: Mapping[str, str]
    subnets: Mapping[str, str]
    vpcs: Mapping[str, str]
    acls: Mapping[str, str]
    health_check: str


STANDING: list[Deployment] = []
"""The one that the tests deployed; a real target finds its own."""


def deploy() -> Deployment:
    """The application, in both regions, by its owner, whom nobody guards; all of it tagged."""
    groups, subnets, vpcs, acls = {}, {}, {}, {}
    role = boto3.client("iam").create_role(
        RoleName=FUNCTION,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1")
    for region in (PRIMARY, STANDBY):
        ec2 = boto3.client("ec2", region_name=region)
        vpcs[region] = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets[region] = ec2.create_subnet(VpcId=vpcs[region], CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
        groups[region] = ec2.create_security_group(GroupName="db", Description="db", VpcId=vpcs[region])["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=groups[region], IpPermissions=[ingress()])
        of_vpc = [{"Name": "vpc-id", "Values": [vpcs[region]]}]
        acls[region] = ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"][0]["NetworkAclId"]
        ec2.create_tags(Resources=[vpcs[region], subnets[region], groups[region], acls[region]], Tags=[TAG])
        boto3.client("lambda", region_name=region).create_function(
            FunctionName=FUNCTION,
            Role=role,
            Runtime="python3.11",
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
            Tags={TAG["Key"]: TAG["Value"]},
        )
        boto3.client("cloudwatch", region_name=region).put_metric_alarm(
            AlarmName="checkout-5xx",
            Namespace="shop",
            MetricName="5xx",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    route53 = boto3.client("route53")
    check = route53.create_health_check(
        CallerReference="1", HealthCheckConfig={"Type": "HTTPS", "FullyQualifiedDomainName": "shop.example"}
    )["HealthCheck"]["Id"]
    boto3.client("iam").create_account_alias(AccountAlias="shop-prod")
    STANDING[:] = [Deployment(groups, subnets, vpcs, acls, check)]
    return STANDING[0]


def ingress() -> dict[str, Any]:
    """The one rule of the database's group."""
    return {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.9.0.0/24"}]}


class Found:
    """The application as faults and probes see it, under its permission."""

    target = "account"
    pace = 1.0
    topology_digest = ""
    fidelity: Mapping[str, str] = {}
    not_proven: tuple[str, ...] = ()
    stop_conditions: tuple[Condition, ...] = ()
    environment: Mapping[str, str] = {}
    entry = Entry("http://shop.example", "", None)
    primary, standby = PRIMARY, STANDBY

    def __init__(self, allowed: Permission, journal: Journal) -> None:
        self.run_id, self.journal = allowed.run.run_id, journal
        self.guard = allowed.guard
        self._session = session()
        allowed.protect(self._session)
        own = STANDING[0]
        self._parts: Mapping[type, Any] = {
            FunctionsPart: FunctionsPart(FUNCTION),
            HealthChecksPart: HealthChecksPart({PRIMARY: own.health_check}),
            NetworkPart: NetworkPart(
                {r: Network(own.vpcs[r], (own.subnets[r],), own.groups[r]) for r in (PRIMARY, STANDBY)}
            ),
        }

    def part(self, kind: type[P]) -> P | None:
        """What was deployed."""
        return self._parts.get(kind)

    def client(self, service: str, region: str | None = None) -> Any:
        """A guarded client."""
        return self._session.client(service, region_name=region or PRIMARY)

    def lose_region(self, region: str) -> Instant:
        """Asks whether it may; there is nothing to be killed."""
        self.guard.allow_power("lose_region", region)
        return Instant(time.monotonic_ns(), time.monotonic_ns())

    def restore_region(self, region: str) -> None:
        """Nothing was lost."""

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone."""
        return self.guard.healing()

    def return_to_primary(self) -> None:
        """Roles do not move here."""

    def database(self, region: str) -> DatabaseEndpoint:
        """None."""
        raise MissingPart(f"no database of {region} is known")

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """Nothing tells of changes."""
        time.sleep(timeout_s)


def permitted(run: Header, lasts_s: float = 0.0) -> Permission:
    """By the ordinary chain."""
    return permission(run, session(), lasts_s=lasts_s)


def outline(run: Header) -> Outline:
    """Nothing is made."""
    return Outline(price="nothing: what it breaks is there already")


@contextlib.contextmanager
def previewed(run: Header) -> Iterator[World]:
    """The application itself: it is there before the drill. What its faults keep goes with the preview."""
    with tempfile.TemporaryDirectory() as place, contextlib.closing(Journal(Path(place))) as journal:
        yield Found(permitted(run), journal)


@contextlib.contextmanager
def held(run: Header, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
    """Nobody else drills this account meanwhile."""
    with permitted(run).lock(STANDBY, is_over) as conditions:
        yield conditions


@contextlib.contextmanager
def stand(config: TargetConfig) -> Iterator[World]:
    """It stands already."""
    yield Found(permitted(config.run), config.journal)


def orphan(run: Header) -> Orphan:
    """Nobody asks for it here."""
    raise NotImplementedError(run.run_id)
