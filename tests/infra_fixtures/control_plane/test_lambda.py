"""Lambda's code can be fetched, and its concurrency settings are kept."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra_fixtures.conftest import AwsClient


def _zip(text: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), text)
    return held.getvalue()


@pytest.fixture(scope="module")
def role(aws_client: AwsClient) -> str:
    """A role that Lambda may assume."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    made = aws_client("iam").create_role(RoleName="orders", AssumeRolePolicyDocument=json.dumps(trust))
    return str(made["Role"]["Arn"])


@pytest.fixture
def client(aws_client: AwsClient, role: str) -> Iterator[Any]:
    """A Lambda client with a function `orders`."""
    client = aws_client("lambda", "us-west-2")
    _create(client, role, "orders", {"ZipFile": _zip("first")})
    yield client
    client.delete_function(FunctionName="orders")


def _create(client: Any, role: str, name: str, code: dict[str, Any]) -> None:
    client.create_function(FunctionName=name, Runtime="python3.12", Role=role, Handler="app.handler", Code=code)


def _served(client: Any, name: str) -> bytes:
    location = client.get_function(FunctionName=name)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=5) as answer:
        return bytes(answer.read())


def test_the_code_location_serves_the_zip(client: Any, aws_client: AwsClient, role: str) -> None:
    """Deployed inline or from S3, and after an update, what GetFunction points at is the code that is deployed."""
    assert _served(client, "orders") == _zip("first")
    s3 = aws_client("s3", "us-west-2")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket="code", Key="v/2.zip", Body=_zip("second"))
    _create(client, role, "from-s3", {"S3Bucket": "code", "S3Key": "v/2.zip"})
    assert _served(client, "from-s3") == _zip("second")
    client.update_function_code(FunctionName="from-s3", ZipFile=_zip("third"))
    assert _served(client, "from-s3") == _zip("third")
    client.delete_function(FunctionName="from-s3")


def test_reserved_concurrency_of_zero_is_kept(client: Any) -> None:
    """Zero is a throttle, not nothing: both ways of reading say so until it is deleted."""
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="orders")
    client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    assert client.get_function_concurrency(FunctionName="orders")["ReservedConcurrentExecutions"] == 0
    assert client.get_function(FunctionName="orders")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    client.delete_function_concurrency(FunctionName="orders")
    assert "Concurrency" not in client.get_function(FunctionName="orders")


def test_reservations_leave_the_account_its_minimum(client: Any) -> None:
    """An account has 1000 and keeps 100 unreserved; GetAccountSettings says what is left."""
    client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=900)
    settings = client.get_account_settings()
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    assert settings["AccountUsage"]["FunctionCount"] == 1
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="below its minimum"):
        client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=901)


def test_provisioned_concurrency_is_kept_by_version(client: Any) -> None:
    """Put, get, list and delete; never for $LATEST, never more than is reserved."""
    version = client.publish_version(FunctionName="orders")["Version"]
    asked = {"FunctionName": "orders", "Qualifier": version}
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        client.get_provisioned_concurrency_config(**asked)
    client.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=5)
    got = client.get_provisioned_concurrency_config(**asked)
    assert (got["RequestedProvisionedConcurrentExecutions"], got["Status"]) == (5, "READY")
    listed = client.list_provisioned_concurrency_configs(FunctionName="orders")["ProvisionedConcurrencyConfigs"]
    assert [c["FunctionArn"].rsplit(":", 1)[1] for c in listed] == [version]
    client.delete_provisioned_concurrency_config(**asked)
    assert client.list_provisioned_concurrency_configs(FunctionName="orders")["ProvisionedConcurrencyConfigs"] == []
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="unpublished"):
        client.put_provisioned_concurrency_config(
            FunctionName="orders", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1
        )
