"""Which AWS operation an HTTP request is, and whether it changes anything: read from the request alone.

Only REST requests have to be looked up: the others carry the operation's name. moto's routers find them; it has one ready for
every service that it has answered for, so starting costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import msgspec
from botocore.exceptions import UnknownServiceError
from moto.core.request import Request
from moto.core.routing import get_service_router
from multidict import CIMultiDict
from werkzeug.exceptions import NotFound

from infra_fixtures.control_plane.backend import Call
from infra_fixtures.control_plane.wsgi import environ_of

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

    The resource is empty for protocols that carry no path, but a function that is created and a database instance that is
    rebooted are named all the same; `name` is "Unknown" where no model knows the request.
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
            return Operation(service, action, _database_in(body) if action == "RebootDBInstance" else "")
    found = _routed(service, Call(method, raw_path, CIMultiDict(headers), body))
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


def _database_in(body: bytes) -> str:
    return parse_qs(body.decode("latin-1")).get("DBInstanceIdentifier", [""])[0]


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


def _routed(service: str, call: Call) -> Operation:
    """The REST operation that moto's router of the service finds; its labels are the resource."""
    try:
        operation, labels = get_service_router(service).match(Request(environ_of(call)))
    except (NotFound, UnknownServiceError):
        return Operation(service, UNKNOWN)
    named = _LABEL.findall(operation.http_trait.path)
    return Operation(service, operation.name, "/".join(labels[name.rstrip("+")] for name in named))
