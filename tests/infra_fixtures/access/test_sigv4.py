"""Request signing: AWS's own published vectors, S3's documented examples, and whatever botocore signs."""

from __future__ import annotations

import calendar
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from infra_fixtures.access import sigv4
from infra_fixtures.access.authentication import SKEW_S, AuthFailure, NotAuthenticated, authenticate
from infra_fixtures.access.credentials import AccessKey, Credentials

VECTORS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("sigv4_vectors.json").read_text())
"""The AWS Signature Version 4 test suite (Apache License 2.0, Amazon.com), as botocore's tests carry it."""
EXAMPLE = AccessKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
DOCUMENTED = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
OWN = Credentials.fresh()


def _known(key_id: str, _token: str) -> AccessKey | None:
    return {k.id: k for k in (EXAMPLE, DOCUMENTED, OWN.user)}.get(key_id)


def _read(text: str) -> tuple[str, str, CIMultiDict[str], bytes]:
    """Method, path, headers and body of a request as a vector has it."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    method, _, rest = first.partition(" ")
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        if line.startswith(" "):  # a folded header goes on
            name = list(headers)[-1]
            headers[name] = f"{headers[name]} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            headers.add(name, value)
    return method, rest.rpartition(" ")[0], headers, body.encode()


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_each_published_vector_is_believed_and_with_another_signature_is_not(name: str) -> None:
    """The suite's own Authorization header holds; one digit changed, it does not."""
    method, path, headers, body = _read(VECTORS[name]["request"])
    authorization = VECTORS[name]["authorization"]
    at_s = calendar.timegm(time.strptime(headers["X-Amz-Date"].strip(), sigv4.TIME_FORMAT))
    headers["X-Amz-Date"] = headers["X-Amz-Date"].strip()
    headers["Authorization"] = authorization
    assert authenticate(_known, method, path, headers, body, now_s=at_s) is EXAMPLE
    other = "0" if authorization[-1] != "0" else "1"
    headers["Authorization"] = authorization[:-1] + other
    with pytest.raises(NotAuthenticated) as refused:
        authenticate(_known, method, path, headers, body, now_s=at_s)
    assert refused.value.failure is AuthFailure.MISMATCH


S3_GET = {
    "Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9", "x-amz-date": "20130524T000000Z",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
    "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
    "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
}  # fmt: skip
S3_PRESIGNED = (
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
    "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)
AT_S = calendar.timegm((2013, 5, 24, 0, 0, 0))


def test_s3s_documented_examples_hold() -> None:
    """GET with a range by header, GET by presigned URL."""
    assert authenticate(_known, "GET", "/test.txt", CIMultiDict(S3_GET), b"", now_s=AT_S) is DOCUMENTED
    presigned = CIMultiDict({"Host": S3_GET["Host"]})
    assert authenticate(_known, "GET", S3_PRESIGNED, presigned, b"", now_s=AT_S + 86_000) is DOCUMENTED


def _doubt(method: str, path: str, headers: dict[str, str], body: bytes = b"", now_s: float = AT_S) -> AuthFailure:
    with pytest.raises(NotAuthenticated) as refused:
        authenticate(_known, method, path, CIMultiDict(headers), body, now_s=now_s)
    return refused.value.failure


def test_what_is_not_just_what_was_signed_is_refused() -> None:
    """Another method, path, signed header, body, time, key or date; a part missing; nothing at all."""
    assert _doubt("HEAD", "/test.txt", S3_GET) is AuthFailure.MISMATCH
    assert _doubt("GET", "/test.txt?acl", S3_GET) is AuthFailure.MISMATCH
    assert _doubt("GET", "/test.txt", {**S3_GET, "Range": "bytes=0-10"}) is AuthFailure.MISMATCH
    assert _doubt("GET", "/test.txt", S3_GET, b"x") is AuthFailure.OTHER_PAYLOAD
    assert _doubt("GET", "/test.txt", S3_GET, now_s=AT_S + SKEW_S + 1) is AuthFailure.EXPIRED
    assert _doubt("GET", "/test.txt", S3_GET, now_s=AT_S - SKEW_S - 1) is AuthFailure.EXPIRED
    assert _doubt("GET", S3_PRESIGNED, {"Host": S3_GET["Host"]}, now_s=AT_S + 86_401) is AuthFailure.EXPIRED
    authorization = S3_GET["Authorization"]
    other_key = authorization.replace("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLF")
    assert _doubt("GET", "/test.txt", {**S3_GET, "Authorization": other_key}) is AuthFailure.UNKNOWN_KEY
    other_day = authorization.replace("20130524", "20130525")
    assert _doubt("GET", "/test.txt", {**S3_GET, "Authorization": other_day}) is AuthFailure.MISMATCH
    without_host = authorization.replace("host;", "")
    assert _doubt("GET", "/test.txt", {**S3_GET, "Authorization": without_host}) is AuthFailure.INCOMPLETE
    unproven = authorization.partition(",Signature")[0]
    assert _doubt("GET", "/test.txt", {**S3_GET, "Authorization": unproven}) is AuthFailure.INCOMPLETE
    assert _doubt("GET", "/test.txt", {"Host": "h"}) is AuthFailure.UNSIGNED
    assert _doubt("GET", "/test.txt", {"Host": "h", "Authorization": "AWS AKIA:old"}) is AuthFailure.UNSIGNED


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@given(
    segments=st.lists(TEXT, min_size=1, max_size=3),
    query=st.dictionaries(TEXT, TEXT, max_size=3),
    body=st.binary(max_size=50),
    how=st.sampled_from(["header", "s3", "presigned", "s3 presigned"]),
)
def test_whatever_botocore_signs_is_believed(segments: list[str], query: dict[str, str], body: bytes, how: str) -> None:
    """Any path, parameters and body, in the header or in the URL, in S3's form and in everybody else's."""
    path = "/" + "/".join(quote(s, safe="~") for s in segments)
    url = f"http://127.0.0.1:14566{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    key = BotocoreCredentials(OWN.user.id, OWN.user.secret)
    service = "s3" if "s3" in how else "lambda"
    signers: dict[str, Any] = {
        "header": SigV4Auth, "s3": S3SigV4Auth, "presigned": SigV4QueryAuth, "s3 presigned": S3SigV4QueryAuth,
    }  # fmt: skip
    if "presigned" in how:
        body = b""
    request = AWSRequest("PUT" if body else "GET", url, data=body, headers={"Host": "127.0.0.1:14566"})
    request.context["payload_signing_enabled"] = True
    signers[how](key, service, "us-east-1").add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    wire = parts.path + (f"?{parts.query}" if parts.query else "")
    headers: CIMultiDict[str] = CIMultiDict((k, str(v)) for k, v in request.headers.items())
    assert authenticate(_known, sent.method, wire, headers, body) is OWN.user


def test_what_the_run_signs_itself_is_believed() -> None:
    """`sign` and `authenticate` agree, with a body and with an unsigned one."""
    for service, payload in (("logs", sigv4.digest(b"{}")), ("s3", sigv4.UNSIGNED_PAYLOAD)):
        signed = sigv4.sign(OWN.user, "PUT", "h:1", "/a%20b/c?x=1", region="r", service=service, payload=payload)
        headers = CIMultiDict({"Host": "h:1", **signed})
        assert authenticate(_known, "PUT", "/a%20b/c?x=1", headers, b"{}") is OWN.user


def test_a_roles_credentials_are_the_same_everywhere_and_nobody_elses() -> None:
    """Derived, they need not be told; another token, another role's id or another run's are not known."""
    role, other = "arn:aws:iam::123456789012:role/orders", "arn:aws:iam::123456789012:role/other"
    key = OWN.of_role(role)
    assert OWN.known(key.id, key.token) == key
    assert key.id.startswith("ASIA")
    assert len(key.id) == 20
    assert OWN.known(key.id, "") is None
    assert OWN.known(OWN.of_role(other).id, key.token) is None
    assert OWN.known(key.id, key.token[:-1] + "x") is None
    assert OWN.known(key.id, "not base64 \xff") is None
    assert Credentials.fresh().known(key.id, key.token) is None
    assert not any(secret in f"{OWN!r} {OWN.user!r}" for secret in OWN.secrets)
