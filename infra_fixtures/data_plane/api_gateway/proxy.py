"""The Lambda proxy integration, payload format 1.0: what the function is given, and what its answer becomes.

Source: API Gateway developer guide, "Lambda proxy integrations in API Gateway": input and output format.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from infra_fixtures.data_plane.api_gateway.deployed import Stage
from infra_fixtures.data_plane.api_gateway.routing import Method

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

REMAPPED = frozenset(
    {"connection", "content-length", "date", "server", "transfer-encoding", "upgrade", "trailer", "te"}
)
"""Headers a function may not set: they come out as x-amzn-Remapped-<name> (or not at all)."""


class MalformedAnswer(Exception):
    """What the function returned is no proxy response; the gateway answers 502."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to a function."""

    stage: Stage
    method: Method
    parameters: Mapping[str, str]
    http_method: str
    path: str
    context_path: str
    query: str
    headers: CIMultiDictProxy[str]
    body: bytes
    host: str
    source_ip: str
    request_id: str
    extended_id: str
    trace_id: str
    api_key: str | None
    api_key_id: str | None
    account_id: str


def event(call: Call) -> bytes:
    """The function's event."""
    headers, multi_headers = _headers(call)
    query, multi_query = _query(call.query)
    body, is_base64 = _body(call)
    now_s = time.time()
    return _encode(
        {
            "resource": call.method.resource_path,
            "path": call.path,
            "httpMethod": call.http_method,
            "headers": headers,
            "multiValueHeaders": multi_headers,
            "queryStringParameters": query,
            "multiValueQueryStringParameters": multi_query,
            "pathParameters": call.parameters or None,
            "stageVariables": call.stage.variables or None,
            "requestContext": {
                "resourceId": call.method.resource_id,
                "resourcePath": call.method.resource_path,
                "operationName": None,
                "httpMethod": call.http_method,
                "extendedRequestId": call.extended_id,
                "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
                "path": call.context_path,
                "accountId": call.account_id,
                "protocol": "HTTP/1.1",
                "stage": call.stage.name,
                "domainPrefix": call.host.partition(".")[0],
                "requestTimeEpoch": int(now_s * 1000),
                "requestId": call.request_id,
                "identity": {
                    "cognitoIdentityPoolId": None,
                    "accountId": None,
                    "cognitoIdentityId": None,
                    "caller": None,
                    "sourceIp": call.source_ip,
                    "principalOrgId": None,
                    "accessKey": None,
                    "apiKey": call.api_key,
                    "apiKeyId": call.api_key_id,
                    "cognitoAuthenticationType": None,
                    "cognitoAuthenticationProvider": None,
                    "userArn": None,
                    "userAgent": call.headers.get("User-Agent"),
                    "user": None,
                },
                "domainName": call.host,
                "deploymentId": call.stage.deployment_id,
                "apiId": call.stage.api.id,
            },
            "body": body,
            "isBase64Encoded": is_base64,
        }
    )


def answer(payload: bytes, *, accepts: str, binary_types: tuple[str, ...]) -> tuple[int, CIMultiDict[str], bytes]:
    """(status, headers, body) of what a function returned; raises MalformedAnswer."""
    try:
        said = _decode(payload)
    except msgspec.MsgspecError as e:
        raise MalformedAnswer("not JSON") from e
    if not isinstance(said, dict):
        raise MalformedAnswer("not an object")
    status = _status(said.get("statusCode"))
    headers = _answer_headers(said)
    text = said.get("body")
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise MalformedAnswer("body is not a string")
    body = text.encode()
    if said.get("isBase64Encoded") is True and _matches(accepts, binary_types):
        try:
            body = base64.b64decode(text, validate=True)
        except binascii.Error as e:
            raise MalformedAnswer("body is not base64") from e
    if "Content-Type" not in headers:
        headers["Content-Type"] = "application/json"
    return status, headers, body


def _headers(call: Call) -> tuple[dict[str, str], dict[str, list[str]]]:
    single: dict[str, str] = {}
    multi: dict[str, list[str]] = {}
    for name, value in call.headers.items():
        single[name] = value
        multi.setdefault(name, []).append(value)
    forwarded = call.headers.get("X-Forwarded-For")
    added = {
        "X-Amzn-Trace-Id": call.trace_id,
        "X-Forwarded-For": f"{forwarded}, {call.source_ip}" if forwarded else call.source_ip,
        "X-Forwarded-Port": "80",
        "X-Forwarded-Proto": "http",
    }
    for name, value in added.items():
        single[name] = value
        multi[name] = [value]
    return single, multi


def _query(query: str) -> tuple[dict[str, str] | None, dict[str, list[str]] | None]:
    if not query:
        return None, None
    single: dict[str, str] = {}
    multi: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        single[name] = value
        multi.setdefault(name, []).append(value)
    return single or None, multi or None


def _body(call: Call) -> tuple[str | None, bool]:
    if not call.body:
        return None, False
    binary_types = call.stage.api.binary_types
    if binary_types and _matches(call.headers.get("Content-Type", ""), binary_types):
        return base64.b64encode(call.body).decode(), True
    return call.body.decode("utf-8", "replace"), False


def _matches(content_type: str, binary_types: tuple[str, ...]) -> bool:
    wanted = [part.partition(";")[0].strip().lower() for part in content_type.split(",")]
    return any(t == "*/*" or t.lower() in wanted for t in binary_types)


def _status(value: Any) -> int:
    try:
        status = int(value)
    except (TypeError, ValueError) as e:
        raise MalformedAnswer(f"statusCode is {value!r}") from e
    if isinstance(value, bool) or not 100 <= status <= 599:
        raise MalformedAnswer(f"statusCode is {value!r}")
    return status


def _answer_headers(said: Mapping[str, Any]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for key in ("multiValueHeaders", "headers"):
        given = said.get(key)
        if given is None:
            continue
        if not isinstance(given, dict):
            raise MalformedAnswer(f"{key} is no object")
        for name, value in given.items():
            values = value if key == "multiValueHeaders" else [value]
            if not isinstance(values, list) or any(isinstance(v, (dict, list)) for v in values):
                raise MalformedAnswer(f"{key} holds what is no text for {name}")
            if key == "headers" and name in headers:
                continue  # both given: the multi-value list holds
            for v in values:
                if v is not None:
                    headers.add(_outgoing(name), _text(v))
    return headers


def _outgoing(name: str) -> str:
    return f"x-amzn-Remapped-{name}" if name.lower() in REMAPPED else name


def _text(value: Any) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text:
        raise MalformedAnswer("a header holds a line break")
    return text
