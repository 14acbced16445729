"""Which service of AWS a connection is to: what the first request on it is signed for.

On AWS each service has addresses of its own, which network ACLs, prefix lists and endpoints tell apart. Here all of a region's
services are behind one address; SDKs keep the connections of one service's client apart from those of another's.
"""

from __future__ import annotations

import re

_SCOPE = re.compile(rb"Credential=[^,\s&]*?(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request")


def service_in_request(data: bytes) -> str:
    """The signing name in the head of an HTTP request; empty where it has none."""
    found = _SCOPE.search(data)
    return found[1].decode() if found else ""
