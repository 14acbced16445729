"""Which AWS operation an HTTP request is, and whether it changes anything: read from the request alone.

The names come from botocore's own service models. A model is loaded when the first request that needs it arrives (only
REST protocols do: the others carry the operation's name), so starting costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import msgspec
from botocore.loaders import Loader

READS = ("Describe", "List", "Get", "Head", "Lookup", "BatchGet", "Test", "Filter", "Simulate", "Search")
"""An operation whose name begins so changes nothing."""

USES = frozenset(
    {
        "Invoke",
        "InvokeAsync",
        "InvokeWithResponseStream",
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "Encrypt",
        "Decrypt",
    }
    | {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt", "Sign", "Verify", "Query", "Scan"}
    | {"StartQuery", "SelectObjectContent"}
)
"""Operations that use a resource without changing what the control plane holds."""

SERVICE_OF_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
    "sso": "sso-admin",
    "mobiletargeting": "pinpoint",
}
"""Where a request is not signed for the name botocore gives its service."""

SERVICE_OF_PATH = (
    ("apigateway", "/v2/", "apigatewayv2"),
    ("s3", "/v20180820/", "s3control"),
    ("ses", "/v2/", "sesv2"),
)
"""Where one signing name stands for two services, told apart by the path."""

UNKNOWN = "Unknown"

_LABEL = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: botocore's service name and operation; `resource` is what the path's labels name, joined by "/".

    The resource is empty for protocols that carry no path, but a function that is created is named all the same; `name`
    is "Unknown" where no model knows the request.
    """

    service: str
    name: str
    resource: str = ""

    @property
    def changes(self) -> bool:
        """Whether it may change what the control plane holds."""
        return self.name not in USES and not self.name.startswith(READS)


def operation_of(signing_name: str, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Operation:
    """Name the operation of a request; `raw_path` is as sent, still percent-encoded, with its query.

    Protocols: json (X-Amz-Target), Smithy RPC (operation in the path), query and ec2 (Action=), REST (method and path).
    https://smithy.io/2.0/aws/protocols/index.html
    """
    path, _, query = raw_path.partition("?")
    service = service_of(signing_name, path)
    if target := headers.get("X-Amz-Target"):
        if target.startswith("DynamoDBStreams"):
            service = "dynamodbstreams"
        return Operation(service, target.rpartition(".")[2])
    if path.startswith("/service/") and "/operation/" in path:
        return Operation(service, path.rpartition("/")[2])
    if path == "/":
        action = _action(query, headers, body)
        if action:
            return Operation(service, action)
    found = _routes(service).match(method, path, query, headers)
    if (found.service, found.name) == ("lambda", "CreateFunction"):
        return dataclasses.replace(found, resource=_function_in(body))
    return found


class _NamesFunction(msgspec.Struct):
    FunctionName: str = ""


def _function_in(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_NamesFunction).FunctionName
    except msgspec.DecodeError:
        return ""


@functools.lru_cache(maxsize=256)
def _service_of_name(signing_name: str) -> str:
    return SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)


def service_of(signing_name: str, path: str) -> str:
    """botocore's name of the service a request is signed for."""
    for name, prefix, service in SERVICE_OF_PATH:
        if signing_name == name and path.startswith(prefix):
            return service
    return _service_of_name(signing_name)


def _action(query: str, headers: Mapping[str, str], body: bytes) -> str:
    form = headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    for text in (body[:_ACTION_WITHIN].decode("latin-1") if form else "", query):
        if found := _ACTION.search(text):
            return unquote(found[1])
    return ""


_ACTION_WITHIN = 65_536
_ACTION = re.compile(r"(?:^|&)Action=([^&]+)")


@dataclass(frozen=True, slots=True)
class _Route:
    """A REST operation: the path it is bound to, and what query and headers it needs beyond it."""

    name: str
    template: str
    query: frozenset[tuple[str, str | None]]
    headers: frozenset[str]

    def needs(self) -> int:
        return len(self.query) + len(self.headers)

    def accepts(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        return all(k in query and (v is None or query[k] == v) for k, v in self.query) and all(
            h in headers for h in self.headers
        )


class _Routes:
    """The REST operations of one service, the most demanding first."""

    def __init__(self, service: str, routes: Mapping[str, tuple[_Route, ...]]) -> None:
        self.service = service
        self._routes = routes

    def match(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Operation:
        asked = dict(parse_qsl(query, keep_blank_values=True))
        tried: dict[str, re.Match[str] | None] = {}
        for route in self._routes.get(method, ()):
            template = route.template
            if template not in tried:
                # a pattern is compiled for the first path that it may match: a service has hundreds
                likely = path.startswith(template.partition("{")[0].rstrip("/"))
                tried[template] = _pattern(template).match(path) if likely else None
            found = tried[template]
            if found and route.accepts(asked, headers):
                labels = [unquote(label) for label in found.groups() if label]
                return Operation(self.service, route.name, "/".join(labels))
        return Operation(self.service, UNKNOWN)


@functools.lru_cache(maxsize=64)
def _routes(service: str) -> _Routes:
    """The REST routes of a service; none where botocore does not know it or its protocol is another."""
    loader = Loader()
    if service not in loader.list_available_services("service-2"):
        return _Routes(service, {})
    model = loader.load_service_model(service, "service-2")
    if not model["metadata"]["protocol"].startswith("rest"):
        return _Routes(service, {})
    found: dict[str, list[_Route]] = {}
    for name, operation in model["operations"].items():
        if operation.get("deprecated") and service == "s3":
            continue  # PutBucketLifecycle and PutBucketNotification share their successors' route
        http = operation["http"]
        path, _, query = http["requestUri"].partition("?")
        literals: set[tuple[str, str | None]] = {
            (k, v or None) for k, v in parse_qsl(query, keep_blank_values=True) if k != "x-id"
        }
        members, required = _input(model["shapes"], operation)
        for member in required:
            location, wire = members[member].get("location"), members[member].get("locationName", member)
            if location == "querystring":
                literals.add((wire, None))
        wanted = {
            members[m]["locationName"]
            for m in required
            if service == "s3" and m == "CopySource" and members[m].get("location") == "header"
        }
        route = _Route(name, path, frozenset(literals), frozenset(wanted))
        found.setdefault(http["method"], []).append(route)
    return _Routes(service, {method: tuple(sorted(routes, key=_precedence)) for method, routes in found.items()})


def _input(
    shapes: Mapping[str, dict[str, object]], operation: Mapping[str, dict[str, str]]
) -> tuple[_Members, list[str]]:
    if "input" not in operation:
        return {}, []
    shape = shapes[operation["input"]["shape"]]
    members, required = shape.get("members"), shape.get("required")
    return (members if isinstance(members, dict) else {}), (required if isinstance(required, list) else [])


_Members = dict[str, dict[str, str]]


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a path template; a greedy label ("{Key+}") takes slashes too."""
    parts: Iterable[str] = _LABEL.split(template.rstrip("/"))
    pattern = "".join(
        (re.escape(part) if i % 2 == 0 else "(.+)" if part.endswith("+") else "([^/]+)") for i, part in enumerate(parts)
    )
    return re.compile(f"{pattern}/?$")


def _precedence(route: _Route) -> tuple[int, int, str]:
    """Fixed paths before labelled ones, more conditions before fewer."""
    return (-route.needs(), route.template.count("{"), route.name)
