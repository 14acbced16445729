"""To which region and service a request belongs: its SigV4 credential scope says so, not where it arrived."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from infra_fixtures.global_services import GLOBAL_SERVICES

# Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261124/us-east-1/s3/aws4_request, SignedHeaders=..., Signature=...
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_HEADER = re.compile(r"Credential=([^,\s]+)")
_QUERY = re.compile(r"(?:^|[?&])X-Amz-Credential=([^&]+)")


@dataclass(frozen=True, slots=True)
class CallScope:
    """The region and the signing name of a request; `region` is empty where it is not signed."""

    region: str
    signing_name: str

    @property
    def is_global(self) -> bool:
        """Whether the service belongs to no region: no region's loss takes it away."""
        return self.signing_name in GLOBAL_SERVICES


UNSIGNED = CallScope("", "s3")
"""An unsigned request is S3's (a public or a bare download), as moto takes it."""


def scope_of(headers: Mapping[str, str], raw_path: str) -> CallScope:
    """Read the credential scope from the Authorization header or a presigned URL's query."""
    if (authorization := headers.get("Authorization")) and (found := _HEADER.search(authorization)):
        return _scope(found[1])
    if "X-Amz-Credential=" in raw_path and (found := _QUERY.search(raw_path)):
        return _scope(unquote(found[1]))
    return UNSIGNED


@functools.lru_cache(maxsize=1024)
def _scope(credential: str) -> CallScope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5:
        return UNSIGNED
    return CallScope(parts[2], parts[3].lower())
