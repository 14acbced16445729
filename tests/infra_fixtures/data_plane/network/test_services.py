"""A connection is to the service that its first request is signed for."""

from __future__ import annotations

import pytest

from infra_fixtures.data_plane.network.services import service_in_request

SCOPE = b"AKIA/20261128/us-east-1/"
HEADER = b"POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + SCOPE


@pytest.mark.parametrize(
    ("data", "service"),
    [
        (HEADER + b"s3/aws4_request, SignedHeaders=host", "s3"),
        (HEADER + b"secretsmanager/aws4_request,", "secretsmanager"),
        (b"GET /b/k?X-Amz-Credential=" + SCOPE.replace(b"/", b"%2F") + b"s3%2Faws4_request&X-Amz-Date=1 HTTP/1.1", "s3"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", ""),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", ""),
    ],
)  # fmt: skip
def test_it_is_read_from_the_credential_scope(data: bytes, service: str) -> None:
    """In the header, in a presigned URL, and nowhere."""
    assert service_in_request(data) == service
