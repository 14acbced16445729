"""Objects pass the front intact, both ways, whatever their names and however their bodies are sent."""

from __future__ import annotations

import http.client
import io
import json
import os
from typing import Any

import pytest

from infra_fixtures.access import sigv4
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient

KEYS = ("plain", "a/b/c", "with space", "plus+and&amp=?#", "per%cent%2F", "ümlaut/日本", "trailing/", "a//b", "~'()*!")


@pytest.fixture(scope="module")
def s3(aws_client: AwsClient) -> Any:
    """An S3 client with a bucket."""
    client = aws_client("s3")
    client.create_bucket(Bucket="orders")
    return client


@pytest.mark.parametrize("key", KEYS)
def test_an_object_comes_back_as_it_was_put(s3: Any, key: str) -> None:
    """Body, length, type and metadata survive put, head, get, list and copy, whatever the key is made of."""
    body = os.urandom(1000)
    s3.put_object(Bucket="orders", Key=key, Body=body, ContentType="text/x-order", Metadata={"snake_case": "1"})
    head = s3.head_object(Bucket="orders", Key=key)
    assert (head["ContentLength"], head["ContentType"]) == (1000, "text/x-order")
    assert head["Metadata"] == {"snake_case": "1"}
    assert s3.get_object(Bucket="orders", Key=key)["Body"].read() == body
    assert key in {o["Key"] for o in s3.list_objects_v2(Bucket="orders")["Contents"]}
    s3.copy_object(Bucket="orders", Key=f"copies/{key}", CopySource={"Bucket": "orders", "Key": key})
    assert s3.get_object(Bucket="orders", Key=f"copies/{key}")["Body"].read() == body


def test_an_empty_object_is_an_object(s3: Any) -> None:
    """No body at all is a body of length 0."""
    s3.put_object(Bucket="orders", Key="empty")
    assert s3.head_object(Bucket="orders", Key="empty")["ContentLength"] == 0
    assert s3.get_object(Bucket="orders", Key="empty")["Body"].read() == b""


def test_a_file_is_sent_after_100_continue(s3: Any) -> None:
    """A file body (boto3 sends Expect: 100-continue with it) and a multipart upload arrive whole."""
    body = os.urandom(9_000_000)
    s3.put_object(Bucket="orders", Key="file", Body=io.BytesIO(body))
    assert s3.get_object(Bucket="orders", Key="file")["Body"].read() == body
    s3.upload_fileobj(io.BytesIO(body), "orders", "multipart")
    assert s3.get_object(Bucket="orders", Key="multipart", Range="bytes=8999990-")["Body"].read() == body[-10:]


def test_a_chunked_body_with_a_trailer_is_decoded(s3: Any, control_plane: RunLayout) -> None:
    """aws-chunked with a checksum trailer, as SDKs send over TLS, is stored decoded, though it came in HTTP chunks."""
    connection = http.client.HTTPConnection(control_plane.primary.aws.host, control_plane.primary.aws.port, timeout=5)
    payload, key, host = (
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        control_plane.credentials.user,
        str(control_plane.primary.aws),
    )
    signed = sigv4.sign(key, "PUT", host, "/orders/chunked", region="us-east-1", service="s3", payload=payload)
    chunked = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    connection.request(
        "PUT",
        "/orders/chunked",
        body=iter([chunked[:7], chunked[7:]]),
        headers={
            **signed,
            "x-amz-decoded-content-length": "5",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "Content-Encoding": "aws-chunked",
            "Transfer-Encoding": "chunked",
        },
        encode_chunked=True,
    )
    assert connection.getresponse().status == 200
    connection.close()
    assert s3.get_object(Bucket="orders", Key="chunked")["Body"].read() == b"hello"


def test_errors_come_through_as_aws_gives_them(s3: Any) -> None:
    """A missing key is NoSuchKey on GET and a bare 404 on HEAD."""
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="orders", Key="never")
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_object(Bucket="orders", Key="never")


def test_one_connection_serves_many_calls(control_plane: RunLayout) -> None:
    """The front keeps connections alive."""
    connection = http.client.HTTPConnection(control_plane.internal.host, control_plane.internal.port, timeout=5)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        connection.request("GET", "/_drill/ready", headers=control_plane.credentials.bearer)
        assert json.loads(connection.getresponse().read())["ready"] is True
    assert connection.sock is socket
    connection.close()
