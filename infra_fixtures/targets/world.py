"""What a target gives to faults, probes and scenarios: a World. Powers that only some have stand in `infra_fixtures.powers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.stop_conditions import Condition

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where HTTP requests go: a base URL and the headers that every request must carry (Host, API key)."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatabaseEndpoint:
    """Where a region's PostgreSQL answers, and whom it lets in; the fields are libpq's connection parameters."""

    host: str
    port: int
    dbname: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """The way in for users: a URL whose name only `dns` (host, port) resolves; None is the system's own resolver.

    `regions`: which region an address leads to, where the application's answers do not say who served.
    """

    url: str
    api_key: str
    dns: tuple[str, int] | None
    regions: Mapping[str, str] = field(default_factory=dict)


class World(Protocol):
    """A two-region system that stands."""

    @property
    def target(self) -> str:
        """The target's name: embedded, localstack, aws, attach."""

    @property
    def pace(self) -> float:
        """How many times faster than AWS's the data plane's timers run."""

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""

    @property
    def standby(self) -> str:
        """The region that takes over."""

    @property
    def run_id(self) -> str:
        """The run that it belongs to."""

    @property
    def topology_digest(self) -> str:
        """What stands here, as a checksum."""

    def part(self, kind: type[P]) -> P | None:
        """That part of it (`infra_fixtures.targets.parts`), or None where it has none."""

    @property
    def journal(self) -> Journal:
        """Where faults write their undo before they act."""

    @property
    def fidelity(self) -> Mapping[str, str]:
        """MODEL, EMULATOR or REAL, by component."""

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What a run on this target cannot prove, as sentences for an auditor."""

    @property
    def stop_conditions(self) -> Sequence[Condition]:
        """What ends every drill on this target at once: a lock of it that is lost, the end of a window."""

    @property
    def entry(self) -> Entry:
        """The way in for users, through Route 53."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What processes that act for this run (the load generator) are started with: its run id, no credentials."""

    def return_to_primary(self) -> None:
        """Give the regions the roles back that they had before the drill (`infra_fixtures.targets.roles`)."""

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through although no window is open."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client as users have it: a lost region's API does not answer. Without a region: of a global service.

        None where the target has no AWS API.
        """

    def database(self, region: str) -> DatabaseEndpoint:
        """The region's database itself, past the application: what it holds is read here, by the application's own user."""

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """Return at the next change of one of `services`, or after `timeout_s`: what probes wait on between looks."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process ended and nobody had asked for it: when (time.monotonic_ns()), which part it was, and how it ended."""

    at_ns: int
    process: str
    how: str


@runtime_checkable
class Machinery(Protocol):
    """Stands on processes of its own that may die unasked; what happens afterwards says nothing about the system."""

    def deaths(self) -> Sequence[Death]:
        """Every one so far, in the order in which they were noticed; what a fault killed is none."""

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The ids of its processes by the part that they belong to, such as control plane or us-east-1/lambda."""
