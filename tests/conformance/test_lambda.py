"""Lambda: functions as they were deployed, and what throttles them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from typing import Any

import pytest

from tests.conformance.backends import PRIMARY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused
from tests.conformance.test_identity import TRUST


@pytest.fixture
def client(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("lambda")


@pytest.fixture
def code() -> bytes:
    """A zip with a handler."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return packed.getvalue()


@pytest.fixture
def function(aws: Backend, client: Any, code: bytes, unique: Names) -> str:
    """A fresh function's name."""
    role = aws.client("iam").create_role(RoleName=unique("fn"), AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    client.create_function(
        FunctionName=unique("orders"),
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code},
        Timeout=7,
        Environment={"Variables": {"STAGE": "drill"}},
        Publish=True,
    )
    return unique("orders")


def test_a_function_is_described_as_deployed(client: Any, function: str, code: bytes) -> None:
    """Code by its hash, time-out, environment."""
    found = client.get_function_configuration(FunctionName=function)
    assert found["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert (found["Timeout"], found["Environment"]["Variables"]) == (7, {"STAGE": "drill"})


def test_a_function_that_is_not_there_is_refused(client: Any, unique: Names) -> None:
    """By the error that provisioning takes for "make it"."""
    with refused("ResourceNotFoundException"):
        client.get_function(FunctionName=unique("nobody"))


def test_reserved_concurrency_nought_is_told_and_taken_back(client: Any, function: str) -> None:
    """The fault "throttled", and its healing."""
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"] == 0
    client.delete_function_concurrency(FunctionName=function)
    assert client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions") is None


def test_an_environment_changed_is_told(client: Any, function: str) -> None:
    """The fault "wrong configuration"."""
    client.update_function_configuration(FunctionName=function, Environment={"Variables": {"STAGE": "broken"}})
    found = client.get_function_configuration(FunctionName=function)
    assert found["Environment"]["Variables"] == {"STAGE": "broken"}


def test_an_alias_leads_to_a_version(client: Any, function: str) -> None:
    """The API invokes the alias."""
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    assert client.get_alias(FunctionName=function, Name="live")["FunctionVersion"] == "1"


def test_provisioned_concurrency_is_told(client: Any, function: str) -> None:
    """Asked for on the alias, read back from it."""
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    qualified = {"FunctionName": function, "Qualifier": "live"}
    client.put_provisioned_concurrency_config(**qualified, ProvisionedConcurrentExecutions=2)
    found = client.get_provisioned_concurrency_config(**qualified)
    assert found["RequestedProvisionedConcurrentExecutions"] == 2


def test_the_account_s_concurrency_is_told(client: Any) -> None:
    """What the functions of a region share."""
    assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] > 0


def test_a_permission_is_in_the_function_s_policy(client: Any, function: str) -> None:
    """The API may invoke, nobody else."""
    client.add_permission(
        FunctionName=function, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    [statement] = json.loads(client.get_policy(FunctionName=function)["Policy"])["Statement"]
    assert (statement["Sid"], statement["Principal"]) == ("api", {"Service": "apigateway.amazonaws.com"})


def test_a_function_s_scaling_is_described(aws: Backend, client: Any, function: str) -> None:
    """Application Auto Scaling keeps the target's bounds."""
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    scaling = aws.client("application-autoscaling", PRIMARY)
    target = {
        "ServiceNamespace": "lambda",
        "ResourceId": f"function:{function}:live",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
    found = scaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[target["ResourceId"]])
    assert [(t["MinCapacity"], t["MaxCapacity"]) for t in found["ScalableTargets"]] == [(1, 4)]
