"""Which method serves a path."""

from __future__ import annotations

from typing import Any

import pytest

from infra_fixtures.data_plane.api_gateway.routing import Router


def resource(path: str, *verbs: str) -> dict[str, Any]:
    """A resource as GetResources embeds it."""
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"
    integration = {"type": "AWS_PROXY", "uri": uri, "timeoutInMillis": 5000}
    return {"id": path, "path": path, "resourceMethods": {v: {"methodIntegration": integration} for v in verbs}}


ROUTER = Router(
    [
        resource("/"),
        resource("/orders", "POST", "ANY"),
        resource("/orders/{key}", "GET"),
        resource("/orders/latest", "GET"),
        resource("/orders/{key}/lines/{line}", "GET"),
        resource("/files/{path+}", "ANY"),
        resource("/{proxy+}", "ANY"),
    ]
)


@pytest.mark.parametrize(
    ("verb", "path", "resource_path", "parameters"),
    [
        ("POST", "/orders", "/orders", {}),
        ("POST", "/orders/", "/orders", {}),
        ("GET", "/orders/latest", "/orders/latest", {}),
        ("GET", "/orders/7", "/orders/{key}", {"key": "7"}),
        ("GET", "/orders/7/lines/2", "/orders/{key}/lines/{line}", {"key": "7", "line": "2"}),
        ("PUT", "/files/a/b.txt", "/files/{path+}", {"path": "a/b.txt"}),
        ("GET", "/health/deep", "/{proxy+}", {"proxy": "health/deep"}),
        ("GET", "/orders/7/other", "/{proxy+}", {"proxy": "orders/7/other"}),
    ],
)
def test_most_specific_resource_wins(verb: str, path: str, resource_path: str, parameters: dict[str, str]) -> None:
    """A literal wins over a parameter, a parameter over a greedy one, and path parameters carry what matched."""
    matched = ROUTER.match(verb, path)
    assert matched is not None
    method, found = matched
    assert (method.resource_path, found) == (resource_path, parameters)
    assert method.function == "arn:aws:lambda:us-east-1:1:function:f"
    assert method.timeout_s == 5.0


@pytest.mark.parametrize(("verb", "path"), [("GET", "/"), ("DELETE", "/orders/7")])
def test_what_no_method_serves_is_missing(verb: str, path: str) -> None:
    """A resource without methods, and one without this method, serve nothing: no other resource takes over."""
    assert ROUTER.match(verb, path) is None
