"""AWS Signature Version 4, for both sides: the run's lean callers sign with it, the front of the AWS API verifies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
S3's form of it: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import posixpath
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from multidict import MultiMapping

from infra_fixtures.access.credentials import AccessKey

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
S3 = "s3"
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
_SAFE = "-_.~"
_PLAIN = re.compile(r"[A-Za-z0-9\-_.~]*")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9\-_~][A-Za-z0-9\-_.~]*)*/?")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """What a signature is good for: a day (YYYYMMDD), a region, a service's signing name."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def canonical_request(
    method: str,
    raw_path: str,
    headers: MultiMapping[str],
    signed: Sequence[str],
    payload: str,
    *,
    is_s3: bool,
    without: str = "",
) -> str:
    """What is signed of a request; `raw_path` as on the wire, `signed` header names, `payload` its hash or its stand-in.

    `without` is the one parameter of the query that is not signed: the signature itself.
    """
    path, _, query = raw_path.partition("?")
    lines = "".join(f"{name}:{_header(headers, name)}\n" for name in signed)
    return (
        f"{method}\n{path if is_s3 else _path(path)}\n{_query(query, without)}\n{lines}\n{';'.join(signed)}\n{payload}"
    )


def signature(secret: str, scope: CredentialScope, at: str, canonical: str) -> str:
    """The signature of a canonical request at a time (YYYYMMDDTHHMMSSZ), in hexadecimal."""
    to_sign = f"{ALGORITHM}\n{at}\n{scope}\n{digest(canonical.encode())}"
    return _mac(_signing_key(secret, scope), to_sign).hex()


def digest(payload: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(payload).hexdigest()


def sign(
    key: AccessKey,
    method: str,
    host: str,
    raw_path: str,
    *,
    region: str,
    service: str,
    payload: str,
    at_s: float | None = None,
) -> dict[str, str]:
    """The headers that sign a request: Authorization, X-Amz-Date and X-Amz-Content-Sha256; `payload` is its digest.

    The caller sends `host` (host:port) as the Host header.
    """
    at = time.strftime(TIME_FORMAT, time.gmtime(at_s))
    scope = CredentialScope(at[:8], region, service)
    signed = ("host", "x-amz-content-sha256", "x-amz-date")
    lines = f"host:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{at}\n"
    path, _, query = raw_path.partition("?")
    names = ";".join(signed)
    canonical = f"{method}\n{path if service == S3 else _path(path)}\n{_query(query, '')}\n{lines}\n{names}\n{payload}"
    proof = signature(key.secret, scope, at, canonical)
    return {
        "X-Amz-Date": at,
        "X-Amz-Content-Sha256": payload,
        "Authorization": f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={proof}",
    }


def parameters(query: str) -> Mapping[str, str]:
    """The parameters of a raw query, decoded; of one given twice the last."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}


@functools.lru_cache(maxsize=256)
def _signing_key(secret: str, scope: CredentialScope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _header(headers: MultiMapping[str], name: str) -> str:
    values = headers.getall(name, ())
    return ",".join(_SPACES.sub(" ", value.strip()) for value in values)


def _path(path: str) -> str:
    """Normalised and encoded once more than on the wire: how all services but S3 have it."""
    if not path or _PLAIN_PATH.fullmatch(path):
        return path or "/"
    normal = posixpath.normpath(path)
    normal = "/" + normal.lstrip("/")
    if path.endswith("/") and not normal.endswith("/"):
        normal += "/"
    return quote(normal, safe="/~")


def _query(query: str, without: str) -> str:
    if not query:
        return ""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{k}={v}" for k, v in sorted((_encoded(k), _encoded(v)) for k, _, v in pairs if k != without))


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(unquote(text), safe=_SAFE)
