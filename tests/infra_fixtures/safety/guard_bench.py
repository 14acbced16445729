"""A bench on which a guard is tried against a running AWS API, and what can be made there to be touched."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

from infra_fixtures.global_services import GLOBAL
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.scope import Between, Scope, Tag

AwsClient = Callable[..., Any]
REGION, OTHER = "us-east-1", "us-west-2"
TAG = Tag("dr-drill", "may-break")
TAGS = [{"Key": TAG.key, "Value": TAG.value}]
NOW = dt.datetime(2026, 12, 1, 3, tzinfo=dt.UTC)
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
OPEN = Between(NOW - dt.timedelta(hours=1), NOW + dt.timedelta(hours=1))
OVER = Between(NOW - dt.timedelta(hours=2), NOW - dt.timedelta(hours=1))


class Bench:
    """An AWS API, clients that nobody guards, and others under a scope; what the guarded ones send is counted."""

    def __init__(self, aws_client: AwsClient, layout: RunLayout) -> None:
        self.free = aws_client
        self.account = str(aws_client("sts").get_caller_identity()["Account"])
        self.scope = Scope(
            frozenset({self.account}), frozenset({REGION, OTHER, GLOBAL}), windows=(OPEN,), confirmed=True
        )
        self.layout = layout
        self.sent: list[str] = []
        self.asked: list[str] = []

    def guard(self, **changes: Any) -> Guard:
        """A guard of the scope with `changes`."""
        owned, mark = changes.pop("owned", frozenset()), changes.pop("mark", None)
        return Guard(dataclasses.replace(self.scope, **changes), self._ask, owned=owned, mark=mark, now=lambda: NOW)

    def client(self, guard: Guard, service: str, region: str = REGION) -> Any:
        """A guarded client."""
        client = self.free(service, region)
        guard.protect(client)
        client.meta.events.register("before-send", lambda event_name, **_: self.sent.append(event_name.split(".")[-1]))
        return client

    def _ask(self, service: str, region: str | None) -> Any:
        self.asked.append(service)
        return self.free(service, region or REGION)


def function(bench: Bench, *, tagged: bool) -> str:
    """A new function."""
    name, code = f"f-{uuid.uuid4().hex[:8]}", io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1")
    iam = bench.free("iam")
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    bench.free("lambda").create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.11",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
        Tags={TAG.key: TAG.value} if tagged else {},
    )
    return name


def hosted_zone(client: Any, tags: Any) -> str:
    """A new zone."""
    zone = client.create_hosted_zone(Name="guarded.example", CallerReference=uuid.uuid4().hex)["HostedZone"]["Id"]
    if tags:
        client.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone.split("/")[-1], AddTags=tags)
    return str(zone)


def record_change() -> dict[str, Any]:
    """A change of one record."""
    record = {"Name": "a.guarded.example", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    return {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}


def alarm(client: Any, tags: Any) -> str:
    """A new alarm."""
    name = f"a-{uuid.uuid4().hex}"
    client.put_metric_alarm(
        AlarmName=name,
        Namespace="drill",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        Tags=tags,
    )
    return name


def rule(client: Any, tags: Any) -> str:
    """A new rule."""
    name = f"r-{uuid.uuid4().hex}"
    client.put_rule(Name=name, ScheduleExpression="rate(1 day)", Tags=tags)
    return name


def log_group(client: Any, tags: Any) -> str:
    """A new log group."""
    name = f"/guarded/{uuid.uuid4().hex}"
    client.create_log_group(logGroupName=name, tags={t["Key"]: t["Value"] for t in tags})
    return name


def bucket(client: Any, tags: Any) -> str:
    """A new bucket."""
    name = f"b-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    if tags:
        client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    return name
