"""Regions can be taken away and given back; every change is told at once; invocations go to the Lambda service."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from infra_fixtures.internal_api.admin import Admin, AdminRefused, set_region
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.run_layout import RunLayout, child_environment
from tests.infra_fixtures.conftest import AwsClient


class _Stream:
    """The change stream, read line by line."""

    def __init__(self, layout: RunLayout) -> None:
        self._connection = http.client.HTTPConnection(layout.internal.host, layout.internal.port, timeout=5)
        self._connection.request("GET", "/_drill/changes", headers=layout.credentials.bearer)
        self._response = self._connection.getresponse()
        assert self._response.readline() == b"\n"

    def next(self) -> Change:
        return msgspec.json.decode(self._response.readline(), type=Change)

    def close(self) -> None:
        self._response.close()
        self._connection.close()


@pytest.fixture
def stream(control_plane: RunLayout) -> Iterator[_Stream]:
    """A listener to the changes from now on."""
    stream = _Stream(control_plane)
    yield stream
    stream.close()


@pytest.fixture
def standby_back(control_plane: RunLayout) -> Iterator[str]:
    """The standby's name; its API is up again after the test."""
    name = control_plane.standby.name
    yield name
    set_region(control_plane, name, True)


def test_a_down_region_answers_nowhere_and_the_others_do(
    control_plane: RunLayout, aws_client: AwsClient, standby_back: str
) -> None:
    """Its own listener refuses, others drop its calls, `internal` and global services go on; and it comes back."""
    own = aws_client("ec2", standby_back)
    through_primary = aws_client("ec2", standby_back, control_plane.primary.aws.url)
    own.describe_vpcs()
    set_region(control_plane, standby_back, False)
    with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
        own.describe_vpcs()  # its connection from before was reset
    with pytest.raises(EndpointConnectionError):
        own.describe_vpcs()
    with pytest.raises(ConnectionClosedError):
        through_primary.describe_vpcs()
    assert aws_client("ec2", standby_back, control_plane.internal.url).describe_vpcs()["Vpcs"]
    assert aws_client("ec2").describe_vpcs()["Vpcs"]
    assert "HealthChecks" in aws_client("route53").list_health_checks()
    set_region(control_plane, standby_back, True)
    assert own.describe_vpcs()["Vpcs"]


def test_the_primary_can_be_lost_and_global_services_stay(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """Route 53 is signed for us-east-1 yet outlives it."""
    route53 = aws_client("route53")
    set_region(control_plane, "us-east-1", False)
    try:
        assert "HostedZones" in route53.list_hosted_zones()
        assert aws_client("ec2", "us-west-2").describe_vpcs()["Vpcs"]
    finally:
        set_region(control_plane, "us-east-1", True)


def test_standing_connections_of_a_lost_region_are_reset(control_plane: RunLayout, standby_back: str) -> None:
    """A connection kept alive dies with the region, within 100 ms."""
    address = control_plane.region(standby_back).aws
    with socket.create_connection((address.host, address.port), timeout=2) as standing:
        set_region(control_plane, standby_back, False)
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert standing.recv(1) == b""
        assert time.monotonic() - began < 0.1


def test_a_change_is_told_before_its_caller_has_the_answer(
    control_plane: RunLayout, aws_client: AwsClient, stream: _Stream
) -> None:
    """Service, operation, region and resource of a mutating call are told within 20 ms; reads and failures are not."""
    s3 = aws_client("s3")
    s3.create_bucket(Bucket="told")
    assert stream.next().action == "CreateBucket"
    s3.list_objects_v2(Bucket="told")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.put_object(Bucket="untold", Key="k", Body=b"")
    s3.put_object(Bucket="told", Key="a/b c", Body=b"x")
    returned = time.monotonic_ns()
    change = stream.next()
    delivered = time.monotonic_ns()
    assert (change.service, change.action, change.region) == ("s3", "PutObject", "us-east-1")
    assert change.resource == "told/a/b c"
    assert change.at_ns < returned
    assert delivered - returned < 20_000_000
    aws_client("sqs", "us-west-2").create_queue(QueueName="q")
    change = stream.next()
    assert (change.service, change.action, change.region) == ("sqs", "CreateQueue", "us-west-2")


def test_losing_a_region_is_a_change_and_losing_it_twice_is_not(
    control_plane: RunLayout, stream: _Stream, standby_back: str
) -> None:
    """_RegionDown once, then _RegionUp."""
    set_region(control_plane, standby_back, False)
    set_region(control_plane, standby_back, False)
    set_region(control_plane, standby_back, True)
    assert [stream.next().action for _ in range(2)] == ["_RegionDown", "_RegionUp"]


async def _refused(layout: RunLayout) -> str:
    async with Admin(layout) as admin:
        try:
            await admin.region_up("eu-nowhere-1", False)
        except AdminRefused as e:
            return str(e)
    return ""


def test_a_region_that_is_none_of_the_run_is_refused(control_plane: RunLayout) -> None:
    """The admin client raises the control plane's own sentence."""
    import asyncio

    assert asyncio.run(_refused(control_plane)) == "eu-nowhere-1 is no region of this run"


class _LambdaService(BaseHTTPRequestHandler):
    """The Lambda service of a region, as far as the front can tell: says which path it was asked."""

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"path": self.path, "payload": json.loads(payload)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-Amz-Function-Error", "Unhandled")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


def test_an_invocation_goes_to_its_regions_lambda_service(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """Path, payload, status and headers pass; without the service it is Lambda's ServiceException."""
    client = aws_client("lambda", "us-west-2")
    with pytest.raises(client.exceptions.ServiceException, match="does not answer"):
        client.invoke(FunctionName="orders", Payload=b"{}")
    address = control_plane.region("us-west-2").lambda_api
    server = ThreadingHTTPServer((address.host, address.port), _LambdaService)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        answer = client.invoke(FunctionName="orders", Qualifier="live", Payload=b'{"n": 1}')
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert answer["FunctionError"] == "Unhandled"
    said = json.loads(answer["Payload"].read())
    assert said == {"path": "/2015-03-31/functions/orders/invocations?Qualifier=live", "payload": {"n": 1}}


def test_an_operation_moto_lacks_is_said_to_be_so(aws_client: AwsClient) -> None:
    """NotImplemented, with the operation's name, not a page of HTML."""
    rds = aws_client("rds")
    with pytest.raises(rds.exceptions.ClientError, match=r"NotImplemented.*backtrack_db_cluster"):
        rds.backtrack_db_cluster(DBClusterIdentifier="c", BacktrackTo="2026-11-24T00:00:00Z")


def test_a_taken_port_is_one_clear_sentence_and_exit_2(layout: RunLayout) -> None:
    """Whoever starts the control plane twice is told what is in the way."""
    with socket.create_server((layout.standby.aws.host, layout.standby.aws.port)):
        ended = subprocess.run(
            [sys.executable, "-m", "infra_fixtures.control_plane", str(layout.path)],
            env=child_environment(layout),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"cannot listen on {layout.standby.aws}" in ended.stderr
