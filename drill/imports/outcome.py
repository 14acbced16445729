"""What a tool's word for a request proves of its effect: done, surely not done, or nobody knows.

A refused connection, a name that was not found, a 4xx: nothing was done. A time-out, a reset, a 5xx: it may have been
done. The error is kept as a short class, for its text may hold a secret.
"""

from __future__ import annotations

import re

from drill.records import Outcome

UNDECIDED = {408, 425, 499}
"""4xx that come of waiting and do not say that nothing was done."""
CLASSES = (
    ("refused", re.compile(r"refused|NoRouteToHost|no route to host|unreachable", re.I)),
    ("dns", re.compile(r"no such host|name or service not known|name resolution|resolve|UnknownHost|lookup ", re.I)),
    ("timeout", re.compile(r"time-?d?\s?-?out|deadline exceeded|TimeoutException", re.I)),
    ("reset", re.compile(r"reset|aborted|closed|EOF|broken pipe|NoHttpResponse|failed to respond|prematurely", re.I)),
    ("tls", re.compile(r"tls|ssl|x509|certificate", re.I)),
)
NOT_DONE = ("refused", "dns")
READS = ("GET", "HEAD", "OPTIONS")
REQUEST = "request"
"""The kind of op of a tool that does not say the method."""


def judged(ok: bool, status: int | None, error: str) -> tuple[Outcome, str | None]:
    """(outcome, class of error) of a request that the tool calls good or not, with its HTTP status and the error's text."""
    if ok:
        return Outcome.OK, None
    if status is not None and 400 <= status < 500 and status not in UNDECIDED:
        return Outcome.FAIL, "status"
    if status is not None and status >= 100:
        return Outcome.UNKNOWN, "status"
    named = next((name for name, pattern in CLASSES if pattern.search(error)), "other")
    return (Outcome.FAIL if named in NOT_DONE else Outcome.UNKNOWN), named


def kind_of(method: str) -> str:
    """read or write by the HTTP method; `request` where it is not known."""
    if not method:
        return REQUEST
    return "read" if method.upper() in READS else "write"
