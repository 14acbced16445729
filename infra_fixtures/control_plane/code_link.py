"""The link to a function's code: whoever was given it may fetch that code, and nothing else.

On AWS it is a presigned URL of S3, valid for ten minutes; this one is valid as long as its run.
"""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web

from infra_fixtures.access.credentials import Credentials

PARAMETER = "signature"


def signed(path: str, credentials: Credentials) -> str:
    """The path with its proof."""
    return f"{path}?{PARAMETER}={_proof(path, credentials)}"


def opens(request: web.BaseRequest, credentials: Credentials) -> bool:
    """Whether a request for code brings the proof for just that path."""
    path, _, query = request.raw_path.partition("?")
    if request.method != "GET" or "/code/" not in path:
        return False
    return hmac.compare_digest(query.encode(), f"{PARAMETER}={_proof(path, credentials)}".encode())


def _proof(path: str, credentials: Credentials) -> str:
    return hmac.new(credentials.root.encode(), f"link {path}".encode(), hashlib.sha256).hexdigest()
