"""Who signed a request to the AWS API, or why nobody is believed to have: SigV4 in the header or in a presigned URL.

Chunk signatures of STREAMING- bodies are not looked at: the seed signature, over the request's head, is.
"""

from __future__ import annotations

import calendar
import enum
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from multidict import MultiMapping

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.access.sigv4 import (
    ALGORITHM,
    S3,
    TIME_FORMAT,
    UNSIGNED_PAYLOAD,
    CredentialScope,
    canonical_request,
    digest,
    parameters,
    signature,
)

SKEW_S = 15 * 60.0
"""How far a request's time may be from the service's."""
LONGEST_S = 7 * 24 * 3600
"""How long a presigned URL may hold."""
_FIELDS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_HASH = re.compile(r"[0-9a-f]{64}")

KnownKey = Callable[[str, str], AccessKey | None]
"""The access key of an id and session token (empty: none); None where there is none such."""


class AuthFailure(enum.Enum):
    """Why a request is not believed; AWS words each of them in its own way (`control_plane.refused_signature`)."""

    UNSIGNED = enum.auto()
    INCOMPLETE = enum.auto()
    UNKNOWN_KEY = enum.auto()
    MISMATCH = enum.auto()
    EXPIRED = enum.auto()
    OTHER_PAYLOAD = enum.auto()


class NotAuthenticated(Exception):
    """A request that nobody is believed to have signed; the message says no more than AWS's does."""

    def __init__(self, failure: AuthFailure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed request says of itself; `expires_s` of a presigned one is how long it holds."""

    key_id: str
    scope: CredentialScope
    signed: tuple[str, ...]
    proof: str
    at: str
    token: str
    payload: str | None
    expires_s: float | None = None


def authenticate(
    known: KnownKey, method: str, raw_path: str, headers: MultiMapping[str], body: bytes, *, now_s: float | None = None
) -> AccessKey:
    """The access key that signed a request; raises NotAuthenticated. `body` is whole, `raw_path` as on the wire."""
    claim = _claim(raw_path, headers)
    key = _key_of(known, claim)
    _look_at_time(claim, time.time() if now_s is None else now_s)
    is_s3 = claim.scope.service == S3
    payload = claim.payload
    if payload is None:
        payload = UNSIGNED_PAYLOAD if is_s3 and claim.expires_s is not None else digest(body)
    elif _HASH.fullmatch(payload) and payload != digest(body):
        raise NotAuthenticated(
            AuthFailure.OTHER_PAYLOAD, "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    elif not is_s3 and not _HASH.fullmatch(payload):
        payload = digest(body)
    canonical = canonical_request(
        method, raw_path, headers, claim.signed, payload, is_s3=is_s3, without="X-Amz-Signature"
    )
    if not hmac.compare_digest(signature(key.secret, claim.scope, claim.at, canonical), claim.proof):
        raise NotAuthenticated(
            AuthFailure.MISMATCH,
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
        )
    return key


def require_known_key(known: KnownKey, raw_path: str, headers: MultiMapping[str]) -> None:
    """Raise NotAuthenticated for who does not even name a key: said before a body is read, which may be of any size."""
    _key_of(known, _claim(raw_path, headers))


def _key_of(known: KnownKey, claim: Claim) -> AccessKey:
    key = known(claim.key_id, claim.token)
    if key is None:
        raise NotAuthenticated(AuthFailure.UNKNOWN_KEY, "The security token included in the request is invalid.")
    return key


def _claim(raw_path: str, headers: MultiMapping[str]) -> Claim:
    authorization = headers.get("Authorization", "")
    if authorization.startswith(ALGORITHM):
        fields = dict(_FIELDS.findall(authorization))
        date = headers.get("X-Amz-Date", "")
        if len(fields) != 3 or not date:
            raise NotAuthenticated(
                AuthFailure.INCOMPLETE,
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and an "
                "'X-Amz-Date' header.",
            )
        return Claim(
            *_credential(fields["Credential"]),
            _signed(fields["SignedHeaders"]),
            fields["Signature"],
            date,
            headers.get("X-Amz-Security-Token", ""),
            headers.get("X-Amz-Content-Sha256"),
        )
    query = raw_path.partition("?")[2]
    if "X-Amz-Signature=" not in query:
        raise NotAuthenticated(AuthFailure.UNSIGNED, "Missing Authentication Token")
    said = parameters(query)
    try:
        expires_s = float(said["X-Amz-Expires"])
        if said["X-Amz-Algorithm"] != ALGORITHM or not 0 < expires_s <= LONGEST_S:
            raise ValueError
        return Claim(
            *_credential(said["X-Amz-Credential"]),
            _signed(said["X-Amz-SignedHeaders"]),
            said["X-Amz-Signature"],
            said["X-Amz-Date"],
            said.get("X-Amz-Security-Token", ""),
            headers.get("X-Amz-Content-Sha256"),
            expires_s,
        )
    except (KeyError, ValueError):
        raise NotAuthenticated(
            AuthFailure.INCOMPLETE,
            "Query-string authentication requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
            "X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ) from None


def _credential(text: str) -> tuple[str, CredentialScope]:
    parts = text.rsplit("/", 4)
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise NotAuthenticated(AuthFailure.INCOMPLETE, "Credential must have exactly 5 slash-delimited elements.")
    return parts[0], CredentialScope(*parts[1:4])


def _signed(text: str) -> tuple[str, ...]:
    names = tuple(text.lower().split(";"))
    if "host" not in names:
        raise NotAuthenticated(AuthFailure.INCOMPLETE, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return names


def _look_at_time(claim: Claim, now_s: float) -> None:
    try:
        at_s = calendar.timegm(time.strptime(claim.at, TIME_FORMAT))
    except ValueError:
        raise NotAuthenticated(AuthFailure.INCOMPLETE, "Date must be in ISO-8601 'basic format'.") from None
    if claim.scope.date != claim.at[:8]:
        raise NotAuthenticated(
            AuthFailure.MISMATCH, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version."
        )
    longest_s = SKEW_S if claim.expires_s is None else claim.expires_s
    if not at_s - SKEW_S <= now_s <= at_s + longest_s:
        raise NotAuthenticated(AuthFailure.EXPIRED, f"Signature expired or not yet current: {claim.at} is not now.")
