"""One request for everything that a role needs: what a preflight asks about before anything is done."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from infra_fixtures.permissions.arns import arn_of
from infra_fixtures.permissions.calls import Context, Request, Role
from infra_fixtures.permissions.needs import needs
from infra_fixtures.permissions.policies import Condition, Narrowing, conditions_of
from infra_fixtures.permissions.scopes import BY_NAME, NAME, Scope, Tagged

SAMPLE = "preflight"
"""What stands for a `*`, in names and in values."""


def samples(role: Role, narrowing: Narrowing) -> Iterator[Request]:
    """Requests that the role's own policies allow, whatever region and value a condition names."""
    for action, scopes in sorted(needs()[role].items()):
        for scope in (BY_NAME[name] for name in sorted(scopes)):
            condition = conditions_of(role, action, scope, narrowing)[0]
            for context in _contexts(condition):
                region = context.get("aws:RequestedRegion", ("",))[0]
                yield Request(
                    action, scope.kind, _arn(scope, region, narrowing), context, scope.tagged is Tagged.REQUEST
                )


def _arn(scope: Scope, region: str, narrowing: Narrowing) -> str:
    if not scope.kind:
        return "*"
    values = (value.replace(NAME, narrowing.name) for value in scope.values)
    account = "123456789012" if narrowing.account == "*" else narrowing.account
    return arn_of(scope.kind, region, account, *values).replace("*", SAMPLE)


def _contexts(condition: Condition) -> Iterator[Context]:
    """Every way to meet it: one value of each key."""
    ways: dict[str, list[str]] = {}
    for operator, keys in condition.items():
        for key, given in keys.items():
            ways[key] = [SAMPLE] if operator == "Null" else [value.replace("*", SAMPLE) for value in _many(given)]
    for values in itertools.product(*ways.values()):
        yield {key: (value,) for key, value in zip(ways, values, strict=True)}


def _many(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def by_resource(
    requests: Iterator[Request],
) -> Mapping[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], list[Request]]:
    """Those that can be asked about in one call: the same resource, and the same known besides."""
    together: dict[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], list[Request]] = {}
    for request in requests:
        together.setdefault((request.arn, tuple(sorted(request.context.items()))), []).append(request)
    return together
