"""Whether FIS may assume an experiment's role.

Trust: https://docs.aws.amazon.com/fis/latest/userguide/getting-started-iam-service-role.html, with aws:SourceAccount and
aws:SourceArn as conditions. A condition on anything else is not met.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

SERVICE = "fis.amazonaws.com"
_COMPARED = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": fnmatch.fnmatchcase,
    "ArnLike": fnmatch.fnmatchcase,
    "ArnEquals": fnmatch.fnmatchcase,
}


def trusts_fis(policy: Mapping[str, Any], account_id: str, source_arn: str) -> bool:
    """Whether a trust policy lets FIS assume the role for an experiment (its ARN)."""
    return trusts(policy, SERVICE, {"aws:sourceaccount": account_id, "aws:sourcearn": source_arn})


def trusts(policy: Mapping[str, Any], service: str, context: Mapping[str, str]) -> bool:
    """Whether a trust policy lets a service assume the role, with these condition keys (in lower case)."""
    statements = [s for s in _listed(policy.get("Statement", ())) if _is_meant(s, service) and _holds(s, context)]
    effects = {s.get("Effect") for s in statements}
    return "Allow" in effects and "Deny" not in effects


def _is_meant(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    services = ["*"] if principal == "*" else _listed(principal.get("Service", ()))
    actions = [str(a).lower() for a in _listed(statement.get("Action", ()))]
    meant = any(fnmatch.fnmatchcase("sts:assumerole", action) for action in actions)
    return meant and any(s in (service, "*") for s in services)


def _holds(statement: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    for operator, conditions in (statement.get("Condition") or {}).items():
        compared = _COMPARED.get(operator)
        for key, wanted in conditions.items():
            value = context.get(key.lower())
            if compared is None or value is None or not any(compared(value, str(w)) for w in _listed(wanted)):
                return False
    return True


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else [value]
