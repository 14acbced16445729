"""Which method of a deployed API serves a request.

A literal segment wins over {parameter}, that over {greedy+}; a method of its own over ANY. Source: API Gateway developer
guide, "Set up a proxy integration with a proxy resource".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ANY = "ANY"
LONGEST_INTEGRATION_S = 29.0
_FUNCTION = re.compile(r":lambda:path/[^/]+/functions/(.+)/invocations$")


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a resource as it was deployed; `function` is the ARN its AWS_PROXY integration invokes."""

    resource_id: str
    resource_path: str
    api_key_required: bool
    authorization: str
    integration: str
    function: str | None
    timeout_s: float


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    parameter: tuple[str, _Node] | None = None
    greedy: tuple[str, _Node] | None = None
    methods: dict[str, Method] = field(default_factory=dict)


class Router:
    """The resources of one deployment."""

    def __init__(self, resources: Iterable[Mapping[str, Any]]) -> None:
        self._root = _Node()
        for resource in resources:
            self._add(resource)

    def match(self, http_method: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """The method that serves `path` (decoded, without stage or base path) and its path parameters."""
        segments = [s for s in path.split("/") if s]
        found = _find(self._root, segments, 0)
        if found is None:
            return None
        node, parameters = found
        method = node.methods.get(http_method) or node.methods.get(ANY)
        return None if method is None else (method, parameters)

    def _add(self, resource: Mapping[str, Any]) -> None:
        node = self._root
        for segment in [s for s in resource["path"].split("/") if s]:
            if segment.startswith("{") and segment.endswith("+}"):
                node.greedy = node.greedy or (segment[1:-2], _Node())
                node = node.greedy[1]
            elif segment.startswith("{"):
                node.parameter = node.parameter or (segment[1:-1], _Node())
                node = node.parameter[1]
            else:
                node = node.literal.setdefault(segment, _Node())
        for verb, said in (resource.get("resourceMethods") or {}).items():
            node.methods[verb] = _method(resource, said)


def _find(node: _Node, segments: list[str], at: int) -> tuple[_Node, dict[str, str]] | None:
    if at == len(segments):
        return (node, {}) if node.methods else None
    segment = segments[at]
    literal = node.literal.get(segment)
    if literal is not None:
        found = _find(literal, segments, at + 1)
        if found is not None:
            return found
    if node.parameter is not None:
        name, below = node.parameter
        found = _find(below, segments, at + 1)
        if found is not None:
            found[1][name] = segment
            return found
    if node.greedy is not None:
        name, below = node.greedy
        return below, {name: "/".join(segments[at:])}
    return None


def _method(resource: Mapping[str, Any], said: Mapping[str, Any]) -> Method:
    integration = said.get("methodIntegration") or {}
    function = _FUNCTION.search(integration.get("uri") or "")
    timeout_ms = integration.get("timeoutInMillis")
    return Method(
        resource_id=resource["id"],
        resource_path=resource["path"],
        api_key_required=bool(said.get("apiKeyRequired")),
        authorization=said.get("authorizationType") or "NONE",
        integration=integration.get("type") or "",
        function=function.group(1) if function else None,
        timeout_s=min(int(timeout_ms) / 1000, LONGEST_INTEGRATION_S) if timeout_ms else LONGEST_INTEGRATION_S,
    )
