"""Every changing call is noted, before it is sent and once it is answered; reading is not, and no secret ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra_fixtures.safety.call_log import CALLS, CallLog, names_of, read_calls
from tests.infra_fixtures.safety.guard_bench import REGION, AwsClient


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / CALLS


def watched(aws_client: AwsClient, path: Path, service: str, **more: Any) -> Any:
    """A client whose calls are noted there."""
    client = aws_client(service, REGION, **more)
    CallLog(path).watch(client)
    return client


def test_a_call_is_noted_with_its_outcome(aws_client: AwsClient, path: Path) -> None:
    """One that is done, one that AWS refuses, and one that nobody answers; reading leaves no line."""
    secrets = watched(aws_client, path, "secretsmanager")
    secrets.create_secret(Name="db", SecretString="hunter2")
    secrets.list_secrets()
    with pytest.raises(ClientError):
        secrets.create_secret(Name="db", SecretString="hunter2")
    with pytest.raises(EndpointConnectionError):
        watched(aws_client, path, "sns", endpoint="http://127.0.0.1:9").create_topic(Name="t")
    calls = read_calls(path)
    assert [(c.service, c.operation, c.region, c.resources, c.outcome) for c in calls] == [
        ("secretsmanager", "CreateSecret", REGION, ("db",), "done"),
        ("secretsmanager", "CreateSecret", REGION, ("db",), "ResourceExistsException"),
        ("sns", "CreateTopic", REGION, ("t",), "EndpointConnectionError"),
    ]
    assert calls[0].request_id
    assert b"hunter2" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_a_service_without_a_region_is_global(aws_client: AwsClient, path: Path) -> None:
    """As the guard names it."""
    watched(aws_client, path, "iam").create_group(GroupName="ops")
    assert [(c.region, c.resources) for c in read_calls(path)] == [("global", ("ops",))]


def test_two_logs_of_a_process_share_a_file(aws_client: AwsClient, path: Path) -> None:
    """No call of one is taken for another's."""
    for name in ("a", "b"):
        watched(aws_client, path, "sqs").create_queue(QueueName=name)
    assert [c.resources for c in read_calls(path)] == [("a",), ("b",)]


def test_a_killed_harness_leaves_the_call_that_it_sent(path: Path) -> None:
    """It dies while AWS still thinks: the line says that it was sent, and nothing of what came of it."""
    program = f"""
import os, socket, threading, boto3
from pathlib import Path
from infra_fixtures.safety.call_log import CallLog
server = socket.create_server(("127.0.0.1", 0))
def die():
    taken, _ = server.accept()  # kept: a connection that nobody holds is closed, and that would be an answer
    taken.recv(1)
    os._exit(9)
threading.Thread(target=die, daemon=True).start()
lambda_ = boto3.client("lambda", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{{server.getsockname()[1]}}",
                       aws_access_key_id="a", aws_secret_access_key="b")
CallLog(Path({str(path)!r})).watch(lambda_)
lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], timeout=60, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert done.returncode == 9
    (call,) = read_calls(path)
    assert (call.operation, call.resources, call.outcome, call.request_id) == (
        "PutFunctionConcurrency",
        ("orders",),
        "sent",
        "",
    )


def test_what_a_crash_tore_is_left_out(aws_client: AwsClient, path: Path) -> None:
    """The whole lines stay, and what comes later is read."""
    watched(aws_client, path, "sqs").create_queue(QueueName="a")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 40] + b"\n")
    (call,) = read_calls(path)
    assert (call.resources, call.outcome) == (("a",), "sent")
    assert read_calls(path.with_name("nowhere")) == []


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"FunctionName": "f", "ReservedConcurrentExecutions": 0}, ["f"]),
        ({"Bucket": "b", "Key": "k", "Body": b"secret", "SSECustomerKey": "secret"}, ["b", "k"]),
        ({"SecretId": "s", "SecretString": "secret", "ClientRequestToken": "t"}, ["s"]),
        ({"DBClusterIdentifier": "c", "MasterUserPassword": "secret", "MasterUsername": "root"}, ["c"]),
        ({"restApiId": "a", "stageName": "live", "value": "secret"}, ["a", "live"]),
        ({"Resources": ["vpc-1", "vpc-2"], "Tags": [{"Key": "k", "Value": "v"}]}, ["vpc-1", "vpc-2"]),
        ({"HostedZoneId": "Z1", "CallerReference": "once", "ExpectedBucketOwner": "123456789012"}, ["Z1"]),
    ],
)
def test_names_are_kept_and_secrets_are_not(parameters: dict[str, Any], names: list[str]) -> None:
    """By the parameter's name alone."""
    assert list(names_of(parameters)) == names
