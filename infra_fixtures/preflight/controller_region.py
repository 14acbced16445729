"""Does the failover itself need the region that may be lost?"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from infra_fixtures.permissions.evaluation import Policy
from infra_fixtures.preflight.check import Check, Seen, listed, part
from infra_fixtures.preflight.functions import configuration
from infra_fixtures.preflight.role_policies import role_policies
from infra_fixtures.targets.parts import ControllerPart

HOME = "us-east-1"
"""Where the control planes of the global services are."""
CHANGING = {
    "route53": ("Change*", "Create*", "Delete*", "Update*", "Associate*", "Disassociate*"),
    "iam": ("Add*", "Attach*", "Create*", "Delete*", "Detach*", "Put*", "Remove*", "Set*", "Tag*", "Update*"),
    "cloudfront": ("Create*", "Delete*", "Update*", "Tag*", "Publish*", "Associate*"),
    "organizations": ("*",),
}
"""By service: the actions that its control plane must be there for."""


class ControllerRegion(Check):
    """A controller that edits records, health checks or roles cannot while us-east-1 is lost: data planes go on, those do not."""

    parts: ClassVar[tuple[type, ...]] = (ControllerPart,)
    mend: ClassVar[str] = (
        "let data planes lead the traffic (health checks, failover records made beforehand, routing controls)"
    )
    page: ClassVar[str] = (
        "https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html"
    )

    def troubles(self, seen: Seen) -> Iterator[str]:
        """What the role of the controller may change there, and where the controller itself is."""
        function = configuration(seen, seen.standby, part(seen, ControllerPart).function)
        role = str(function["Role"]).rpartition("/")[2]
        if seen.primary != HOME:
            return
        found = role_policies(seen.client("iam"), role)
        acts = sorted({act for policy in found.policies for act in _needing_home(policy)})
        if acts:
            yield f"the failover controller's role {role} is made to use {listed(acts)}, which {HOME} has to be there for"


def _needing_home(policy: Policy) -> Iterator[str]:
    for statement in _many(policy["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement:
            yield "all but some actions"
        for action in _many(statement.get("Action", ())):
            service, _, name = str(action).partition(":")
            if action == "*" or any(_overlap(name, each) for each in CHANGING.get(service.lower(), ())):
                yield str(action)


def _overlap(allowed: str, changing: str) -> bool:
    """Whether something may be meant by both patterns."""
    stem, wild = changing.rstrip("*").lower(), allowed.lower()
    return fnmatchcase(wild, f"{stem}*") or ("*" in wild and stem.startswith(wild.partition("*")[0]))


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
