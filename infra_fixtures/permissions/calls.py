"""A call of the AWS API as the harness makes it, who makes it, and what IAM is asked before AWS answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Context = Mapping[str, tuple[str, ...]]
"""Condition keys and their values."""


class Role(Enum):
    """Who calls: three roles, so that what only looks cannot break anything, and what breaks cannot remove anything."""

    OBSERVER = "observer"
    BREAKER = "breaker"
    PROVISIONER = "provisioner"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: botocore's service and operation, the region of the client, the parameters."""

    service: str
    operation: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service} {self.operation} in {self.region}"


@dataclass(frozen=True, slots=True)
class Request:
    """What IAM is asked: an action on one resource (`*` where the action knows none), with what is known besides.

    `kind` is the kind of the resource in the reference, empty for `*`; `new` whether the call makes it.
    """

    action: str
    kind: str
    arn: str
    context: Context = field(default_factory=dict)
    new: bool = False
