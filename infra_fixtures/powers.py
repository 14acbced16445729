"""What a target can do that AWS has no API for: few and general, one small protocol each.

A fault that AWS has an API for uses boto3 alone, so it breaks every target with the same lines. What needs a power is
skipped, saying so, where the target lacks it. Every act is idempotent in its healing direction: whoever undoes a fault
may find that another has done so already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from infra_fixtures.link_rule import LinkRule


@dataclass(frozen=True, slots=True)
class Instant:
    """When something was done, in time.monotonic_ns(): it took effect within [began_ns, ended_ns]."""

    began_ns: int
    ended_ns: int


class Role(StrEnum):
    """The processes of a region by what they do."""

    DATABASE = "database"
    FUNCTIONS = "functions"
    REGION = "region"
    """The region's own process: its API Gateway, Lambda service, alarms and links."""
    ALL = "all"


class Harm(StrEnum):
    """What can be done to a process: stop asks it to end, kill does not ask, freeze lets it stand still."""

    STOP = "stop"
    KILL = "kill"
    FREEZE = "freeze"


@runtime_checkable
class ProcessPower(Protocol):
    """Can stop, kill, freeze and restore the processes of a region, by role and Availability Zone."""

    def harm_processes(self, region: str, role: Role, harm: Harm, az: str | None = None) -> Instant:
        """Do it to all processes of that role (in that zone only); raises where there are none."""

    def restore_processes(self, region: str, role: Role, az: str | None = None) -> None:
        """Start or thaw them; a database joins whoever writes now. Returns when they serve."""


@dataclass(frozen=True, slots=True)
class LinkName:
    """A link of the topology: `scope` is a region, or REPLICATION for the links between the regions (`link` "both")."""

    scope: str
    link: str


REPLICATION = LinkName("replication", "both")


@runtime_checkable
class LinkPower(Protocol):
    """Can put rules on links, and reset what is open on them."""

    def add_link_rule(self, link: LinkName, rule_id: str, rule: LinkRule) -> Instant:
        """Put a rule on a link, in force at once; the same id replaces it."""

    def remove_link_rule(self, link: LinkName, rule_id: str) -> None:
        """Take it away; other rules stay. Does nothing where it is not there."""

    def reset_link(self, link: LinkName) -> Instant:
        """Reset (RST) every open connection of the link."""


@runtime_checkable
class RegionPower(Protocol):
    """Can take a whole region away at once and give it back."""

    def lose_region(self, region: str) -> Instant:
        """Kill every process of the region, cut its links, take its AWS API away."""

    def restore_region(self, region: str) -> None:
        """Give it all back; returns when the region serves again."""


@runtime_checkable
class EndpointPower(Protocol):
    """Has AWS clients of endpoints that have a URL of their own, such as those of an ARC cluster."""

    def client_at(self, service: str, region: str, url: str) -> Any:
        """A boto3 client of that URL; None where there is no AWS account."""


@runtime_checkable
class RolesPower(Protocol):
    """Can give the regions the roles back that they had before a drill."""

    def return_to_primary(self) -> None:
        """Make the primary region's cluster the writer again; does nothing where it is."""
