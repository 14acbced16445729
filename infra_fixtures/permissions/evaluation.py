"""Whether IAM policies allow a request, as AWS evaluates those of one identity: an explicit Deny wins, then an Allow.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html. What cannot be evaluated (an
operator that is not here, a policy variable without a value) raises CannotTell: a guess would be no answer. Policies of
resources, organisations and sessions are not looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from infra_fixtures.permissions.calls import Context, Request

Policy = Mapping[str, Any]
"""A policy document as JSON gives it."""


class Decision(Enum):
    """What IAM says."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitly denied"
    IMPLICIT_DENY = "not allowed"


class CannotTell(Exception):
    """A policy says what this evaluation does not know; the message names it."""


def decide(policies: Iterable[Policy], request: Request, boundary: Policy | None = None) -> Decision:
    """What an identity with these policies, and that permissions boundary, is told."""
    own = _decide(policies, request)
    if boundary is None or own is Decision.EXPLICIT_DENY:
        return own
    limit = _decide([boundary], request)
    return limit if limit is not Decision.ALLOWED else own


def _decide(policies: Iterable[Policy], request: Request) -> Decision:
    decision = Decision.IMPLICIT_DENY
    for policy in policies:
        for statement in _many(policy["Statement"]):
            if not _applies(statement, request):
                continue
            if statement["Effect"] == "Deny":
                return Decision.EXPLICIT_DENY
            decision = Decision.ALLOWED
    return decision


def _applies(statement: Policy, request: Request) -> bool:
    if not _named(statement, "Action", request.action.lower(), str.lower):
        return False
    known = {key.lower(): values for key, values in request.context.items()}
    if not _named(statement, "Resource", request.arn, lambda pattern: _filled(pattern, known)):
        return False
    return all(
        _holds(operator, key.lower(), [str(v) for v in _many(values)], known)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _named(statement: Policy, element: str, value: str, prepare: Callable[[str], str]) -> bool:
    if f"Not{element}" in statement:
        return not any(like(prepare(pattern), value) for pattern in _many(statement[f"Not{element}"]))
    return any(like(prepare(pattern), value) for pattern in _many(statement.get(element, ())))


def _holds(operator: str, key: str, expected: list[str], known: Context) -> bool:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
    quantifier, _, plain = operator.rpartition(":")
    values = known.get(key, ())
    if plain == "Null":
        return bool(values) != (expected[0].lower() == "true")
    if plain.endswith("IfExists"):
        if not values:
            return True
        plain = plain.removesuffix("IfExists")
    negated = "Not" in plain
    compare = _OPERATORS.get(plain.replace("Not", ""))
    if compare is None:
        raise CannotTell(f"the condition operator {operator}")
    expected = [_filled(each, known) for each in expected]

    def matches(value: str) -> bool:
        return any(compare(pattern, value) for pattern in expected) != negated

    if quantifier == "ForAllValues":
        return all(map(matches, values))  # true where there is none
    if quantifier == "ForAnyValue":
        return any(map(matches, values))
    if not values:
        return negated
    return all(map(matches, values)) if negated else any(map(matches, values))


def _filled(text: str, known: Context) -> str:
    """A text with its policy variables replaced; those of a single character stand for themselves."""
    if "${" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        name = found[1].partition(",")[0].strip()
        if name in ("*", "?", "$"):
            return f"[{name}]"
        values = known.get(name.lower(), ())
        if len(values) != 1:
            raise CannotTell(f"the policy variable ${{{name}}}")
        return values[0]

    return re.sub(r"\$\{([^}]*)\}", value, text)


@functools.lru_cache(4096)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` and `?` are wildcards, everything else stands for itself."""
    literal = text.replace("[*]", "\0").replace("[?]", "\1").replace("[$]", "$")
    escaped = "".join({"*": ".*", "?": ".", "\0": r"\*", "\1": r"\?"}.get(c, re.escape(c)) for c in literal)
    return re.compile(escaped, re.DOTALL)


def like(pattern: str, value: str) -> bool:
    """Whether a value is of a pattern with IAM's wildcards, case and all."""
    return pattern == value or (any(c in pattern for c in "*?[") and _pattern(pattern).fullmatch(value) is not None)


def _arn_like(pattern: str, value: str) -> bool:
    """Each of the six parts by itself."""
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(map(like, patterns, values))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda pattern, value: compare(float(value), float(pattern))


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda pattern, value: pattern == value,
    "StringEqualsIgnoreCase": lambda pattern, value: pattern.lower() == value.lower(),
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
    "NumericEquals": _number(lambda value, limit: value == limit),
    "NumericLessThan": _number(lambda value, limit: value < limit),
    "NumericLessThanEquals": _number(lambda value, limit: value <= limit),
    "NumericGreaterThan": _number(lambda value, limit: value > limit),
    "NumericGreaterThanEquals": _number(lambda value, limit: value >= limit),
}


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
