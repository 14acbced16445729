"""FIS on the wire: which operation a request is, what it says, and whether that satisfies the model's constraints.

All of it is read from botocore's description of the service: paths, names, patterns, lengths. The sentences are those that
AWS's services give for the constraints of their models.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
import msgspec
from multidict import CIMultiDict

from infra_fixtures import aws_models
from infra_fixtures.control_plane.backend import Answer, Call
from infra_fixtures.control_plane.fis.refusals import FisError, Invalid, NotHere

_LABEL = re.compile(r"\{(\w+)\}")
_UNICODE_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r"\s"}
"""Classes of the models' regular expressions, and what stands for them in Python's."""


@dataclass(frozen=True, slots=True)
class Request:
    """An operation of FIS, and its input by the names of its members."""

    operation: str
    fields: Mapping[str, Any]


@functools.cache
def model() -> Any:
    """botocore's description of FIS."""
    aws_models.read_fast()
    return botocore.session.get_session().get_service_model("fis")


def read(call: Call) -> Request:
    """The request that a call is; raises FisError where it is none or breaks a constraint."""
    path, _, query = call.raw_path.partition("?")
    for operation, method, pattern in _routes():
        if method == call.method and (found := pattern.fullmatch(path)):
            shape = operation.input_shape
            fields = _fields(shape, found.groupdict(), query, call.body)
            wrong = list(broken_constraints(shape, fields))
            if wrong:
                count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
                raise Invalid(f"{count}: {'; '.join(wrong)}")
            return Request(operation.name, fields)
    raise NotHere(f"FIS has no {call.method} {path}")


def answer(said: Mapping[str, Any]) -> Answer:
    """A successful answer."""
    return Answer(200, _headers(), msgspec.json.encode(said))


def error(refused: FisError) -> Answer:
    """An answer that is an error."""
    headers = _headers()
    headers["x-amzn-errortype"] = refused.code
    return Answer(refused.status, headers, msgspec.json.encode({"message": str(refused)}))


def broken_constraints(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """A sentence for every constraint of a shape that a value breaks."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield _broken(value, path, "Member must be a structure")
            return
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"Value null at '{_below(path, name)}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from broken_constraints(member, value[name], _below(path, name))
    elif kind == "list":
        yield from _broken_sizes(shape, value, path)
        for number, item in enumerate(value if isinstance(value, list) else (), 1):
            yield from broken_constraints(shape.member, item, f"{path}.{number}.member")
    elif kind == "map":
        yield from _broken_sizes(shape, value, path)
        for key, item in (value if isinstance(value, dict) else {}).items():
            yield from broken_constraints(shape.key, key, f"{path}.key")
            yield from broken_constraints(shape.value, item, f"{path}.{key}.member")
    elif kind == "string":
        yield from _broken_text(shape, value, path)
    elif kind in ("integer", "long"):
        yield from _broken_number(shape, value, path)


@functools.cache
def _routes() -> tuple[tuple[Any, str, re.Pattern[str]], ...]:
    described = model()
    routes = []
    for name in described.operation_names:
        operation = described.operation_model(name)
        pattern = _LABEL.sub(r"(?P<\1>[^/]+)", operation.http["requestUri"])
        routes.append((operation, str(operation.http["method"]), re.compile(pattern)))
    return tuple(routes)


def _fields(shape: Any, labels: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError as e:
        raise Invalid(f"The body of the request is not JSON: {e}") from e
    if not isinstance(said, dict):
        raise Invalid("The body of the request is not a JSON object.")
    asked = parse_qs(query, keep_blank_values=True)
    fields: dict[str, Any] = {}
    for name, member in shape.members.items():
        location, wire = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            fields[name] = unquote(labels[wire])
        elif location == "querystring":
            if wire in asked:
                fields[name] = _of_query(member, asked[wire])
        elif said.get(wire) is not None:
            fields[name] = said[wire]
    return fields


def _of_query(member: Any, values: list[str]) -> Any:
    if member.type_name == "list":
        return values
    if member.type_name == "integer" and re.fullmatch(r"-?\d+", values[0]):
        return int(values[0])
    return values[0]


def _broken_text(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield _broken(value, path, "Member must be a string")
        return
    if shape.enum and value not in shape.enum:
        yield _broken(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).search(value):  # anywhere: AWS takes texts with spaces for [\\S]+
        yield _broken(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    yield from _broken_sizes(shape, value, path)


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _UNICODE_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.compile(pattern)


def _broken_sizes(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, (str, list, dict)) or (shape.type_name == "map" and not isinstance(value, dict)):
        yield _broken(value, path, f"Member must be a {shape.type_name}")
        return
    if "min" in shape.metadata and len(value) < shape.metadata["min"]:
        yield _broken(value, path, f"Member must have length greater than or equal to {shape.metadata['min']}")
    if "max" in shape.metadata and len(value) > shape.metadata["max"]:
        yield _broken(value, path, f"Member must have length less than or equal to {shape.metadata['max']}")


def _broken_number(shape: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield _broken(value, path, "Member must be an integer")
        return
    if "min" in shape.metadata and value < shape.metadata["min"]:
        yield _broken(value, path, f"Member must have value greater than or equal to {shape.metadata['min']}")
    if "max" in shape.metadata and value > shape.metadata["max"]:
        yield _broken(value, path, f"Member must have value less than or equal to {shape.metadata['max']}")


def _broken(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _headers() -> CIMultiDict[str]:
    return CIMultiDict({"content-type": "application/json", "x-amzn-requestid": str(uuid.uuid4())})
