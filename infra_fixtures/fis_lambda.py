"""How FIS tells its Lambda extension what to do: where the extension is, and what lies at its configuration's location.

https://docs.aws.amazon.com/fis/latest/userguide/use-lambda-actions.html: a layer, AWS_LAMBDA_EXEC_WRAPPER, and a location in S3
(AWS_FIS_CONFIGURATION_LOCATION=arn:aws:s3:::bucket/prefix/) that FIS writes to and the extension polls. What the objects there
look like AWS does not say; these are ours.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

WRAPPER_VARIABLE, WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER", "/opt/aws-fis/bootstrap"
LOCATION_VARIABLE = "AWS_FIS_CONFIGURATION_LOCATION"
POLL_VARIABLE = "AWS_FIS_SLOW_POLL_INTERVAL_SECONDS"
_LAYER = re.compile(r":layer:aws-fis-extension[\w-]*:\d+$", re.IGNORECASE)
_LOCATION = re.compile(r"arn:aws:s3:::([^/]+)/(.*)")
DELAY, ERROR, RESPONSE = "add-delay", "error", "http-integration-response"


class InvocationFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to invocations of a function until `ends_s` (Unix time); `kind` is DELAY, ERROR or RESPONSE."""

    kind: str
    ends_s: float
    percentage: int = 100
    delay_s: float = 0.0
    prevents: bool = False
    status_code: int = 0
    content_type: str = ""

    @property
    def replaces(self) -> bool:
        """Whether the caller is given another answer than the function's."""
        return self.kind != DELAY

    def hits(self, now_s: float) -> bool:
        """Whether an invocation that begins now is hit."""
        return now_s < self.ends_s and random.random() * 100 < self.percentage

    def answer(self) -> tuple[bytes, bool]:
        """What the caller is given instead, and whether that is a failure of the function."""
        if self.kind == ERROR:
            said = {
                "errorType": "FISInvocationError",
                "errorMessage": "AWS FIS injected an error into this invocation.",
            }
            return msgspec.json.encode(said), True
        headers = {"content-type": self.content_type} if self.content_type else {}
        return msgspec.json.encode({"statusCode": self.status_code, "headers": headers, "body": ""}), False


def is_layer(arn: str) -> bool:
    """Whether a layer's version is FIS's extension."""
    return _LAYER.search(arn) is not None


def location(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Bucket and prefix where a function's extension looks; None where it is told of none."""
    found = _LOCATION.fullmatch(environment.get(LOCATION_VARIABLE, ""))
    return None if found is None else (found[1], found[2])


def has_extension(environment: Mapping[str, str], layers: Sequence[str]) -> bool:
    """Whether a function starts with the extension: it is there, it wraps the runtime, and it has a location."""
    wrapped = environment.get(WRAPPER_VARIABLE) == WRAPPER
    return wrapped and location(environment) is not None and any(is_layer(layer) for layer in layers)


def folder(prefix: str, function: str) -> str:
    """Where the faults of a function lie below a prefix."""
    return f"{prefix}{quote(function, safe='')}/"
