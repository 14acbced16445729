"""What a fault would do, found out by playing it without sending anything that changes something.

Within `Guard.rehearsing()` a changing call is judged and noted, and answered here instead of by AWS; reading is sent as ever.
The answer has the shape that botocore's model gives it, with made-up ids, so that what is played can go on. What only a
changed system would answer cannot be rehearsed: a fault that reads back what it changed ends there, and says so.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.response import StreamingBody

MADE_UP = "rehearsed-"
TAGGED, UNTAGGED = f"{MADE_UP}tagged-", f"{MADE_UP}untagged-"
"""How names begin of what a rehearsed call would have made, with the run's tag and without."""
_NOTE = "drill_rehearsed"
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that would change something, or (service "") a power of the target that would be used; by region and names."""

    service: str
    operation: str
    region: str
    resources: tuple[str, ...]

    def __str__(self) -> str:
        on = f" on {', '.join(self.resources)}" if self.resources else ""
        return f"{self.service or 'power'} {self.operation} in {self.region}{on}"


class PowerRehearsed(Exception):
    """A power was about to be used: what it would do is no AWS call, and what would come after it is not known."""


def note_tagged(context: dict[str, Any], tagged: bool) -> None:
    """Remember with a call whether it tags what it makes: its answer is made up when its parameters are gone."""
    context[_NOTE] = tagged


def is_rehearsed(context: Mapping[str, Any]) -> bool:
    """Whether a call with that context was judged in a rehearsal, as every changing one is."""
    return _NOTE in context


def made_up(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """What of a call's parameters was made up by a rehearsal before it."""
    given = (each for value in parameters.values() for each in (value if isinstance(value, list | tuple) else [value]))
    return tuple(each for each in given if isinstance(each, str) and each.startswith(MADE_UP))


def answer_to(model: Any, context: Mapping[str, Any]) -> tuple[AWSResponse, Mapping[str, Any]]:
    """What botocore takes for the answer of an operation (its OperationModel)."""
    prefix = TAGGED if context.get(_NOTE) else UNTAGGED
    parsed: dict[str, Any] = {}
    if model.output_shape is not None:
        parsed = _made_up(model.output_shape, prefix, _DEPTH)
        if model.has_streaming_output:
            parsed[model.output_shape.serialization["payload"]] = StreamingBody(io.BytesIO(b"{}"), 2)
    parsed["ResponseMetadata"] = {
        "HTTPStatusCode": 200,
        "HTTPHeaders": {},
        "RetryAttempts": 0,
        "RequestId": "rehearsed",
    }
    return AWSResponse("", 200, {}, None), parsed


def _made_up(shape: Any, prefix: str, depth: int, name: str = "") -> Any:
    """Only names and ids are made up: what is left out is what a caller must not rely on."""
    match shape.type_name:
        case "structure" if depth:
            given = {m: _made_up(s, prefix, depth - 1, m) for m, s in shape.members.items()}
            return {member: value for member, value in given.items() if value is not None}
        case "string" if not shape.enum:
            return prefix + name
        case "list":
            return []
        case "map":
            return {}
    return None
