"""The page on FIS: its example is played, and its tables list what there is."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import boto3
import msgspec

from infra_fixtures.control_plane.automation.documents import STEP_ACTIONS
from infra_fixtures.control_plane.fis.actions.connectivity import SCOPES
from infra_fixtures.control_plane.fis.catalogue import ACTIONS
from infra_fixtures.control_plane.fis.targets import TARGET_TYPES
from infra_fixtures.run_layout import RunLayout
from tests.docs.pages import ROOT, blocks
from tests.infra_fixtures.conftest import planned_layout, run_control_plane
from tests.infra_fixtures.control_plane.fis.conftest import TRUST, role_for

PAGE = "fis.md"
TEXT = (ROOT / "docs" / PAGE).read_text()


def test_the_example_is_played() -> None:
    """The page's template by the page's Python, on a model at pace 100: cut, put back, completed."""
    (template,), (python,) = blocks("json", PAGE), blocks("python", PAGE)
    found: dict[str, Any] = {}
    exec(compile(python.text, str(python), "exec", dont_inherit=True), found)
    with planned_layout() as layout:
        for running in run_control_plane(msgspec.structs.replace(layout, pace=100.0)):
            client = functools.partial(_client, running)
            ec2 = client("ec2")
            role_for(client("iam"), "experiments", TRUST)
            subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
            ec2.create_tags(Resources=[subnet], Tags=[{"Key": "fis-ready", "Value": "true"}])
            client("cloudwatch").put_metric_alarm(
                AlarmName="checkout-5xx", Namespace="T", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1,
                Threshold=1, ComparisonOperator="GreaterThanThreshold",
            )  # fmt: skip
            before = len(ec2.describe_network_acls()["NetworkAcls"])
            asked = template.text.replace("ACCOUNT", running.account_id).replace("REGION", "us-east-1")
            ended = found["play"](client("fis"), json.loads(asked))
            assert ended["state"]["status"] == "completed"
            assert {a["state"]["status"] for a in ended["actions"].values()} == {"completed"}
            assert len(ec2.describe_network_acls()["NetworkAcls"]) == before


def _client(running: RunLayout, service: str) -> Any:
    key = running.credentials.user
    return boto3.session.Session().client(
        service, region_name="us-east-1", endpoint_url=running.primary.aws.url,
        aws_access_key_id=key.id, aws_secret_access_key=key.secret,
    )  # fmt: skip


def test_the_tables_list_what_there_is() -> None:
    """Every action, no other; every scope, target type and step."""
    assert sorted(re.findall(r"^\| `(aws:[\w:-]+)` \|", TEXT, re.MULTILINE)) == sorted(ACTIONS)
    assert not [name for name in (*SCOPES, *TARGET_TYPES, *STEP_ACTIONS) if f"`{name}`" not in TEXT]
