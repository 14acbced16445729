"""The parts that a system may have, each a small frozen value: faults, probes and scenarios ask a world for what they need.

A part that a world lacks is no error by itself: a probe that needs it does not run there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from infra_fixtures.targets.world import Endpoint, World
from traffic.contract import Contract, Heartbeat

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class WorkloadPart:
    """The application under test, as its users write to it and read from it."""

    contract: Contract


@dataclass(frozen=True, slots=True)
class HeartbeatPart:
    """Heartbeats that the application stores and shows."""

    beat: Heartbeat


@dataclass(frozen=True, slots=True)
class ApiPart:
    """The application's own endpoint in each region, past Route 53, with the headers that every request must carry."""

    endpoints: Mapping[str, Endpoint]


@dataclass(frozen=True, slots=True)
class DnsPart:
    """The name that leads users to the region that serves; its name server may be asked every so many seconds.

    `region_of`: the region that an address leads to, None for one of neither, where addresses come and go.
    """

    name: str
    every_s: float = 0.025
    region_of: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class HealthChecksPart:
    """Route 53's health check of each region, by id."""

    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FunctionsPart:
    """The Lambda function that serves users, by the name that it has in both regions."""

    orders: str


@dataclass(frozen=True, slots=True)
class ControllerPart:
    """The function in the standby that makes its database the writer."""

    function: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """One region's Aurora cluster."""

    id: str
    arn: str


@dataclass(frozen=True, slots=True)
class DatabasePart:
    """An Aurora global database, and its cluster in each region."""

    global_cluster_id: str
    clusters: Mapping[str, Cluster]


@dataclass(frozen=True, slots=True)
class Network:
    """One region's VPC: its private subnets, and the security group of the database."""

    vpc_id: str
    private_subnets: tuple[str, ...]
    database_group_id: str


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """The VPC of each region."""

    networks: Mapping[str, Network]


@dataclass(frozen=True, slots=True)
class BucketPart:
    """The S3 bucket of each region, the standby's a replica of the primary's."""

    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlarmPart:
    """The CloudWatch alarm in the standby that fires the failover controller."""

    name: str


@dataclass(frozen=True, slots=True)
class WalPart:
    """A PostgreSQL in each region that can be asked for its place in the write-ahead log (`World.database`)."""


@dataclass(frozen=True, slots=True)
class BreakPart:
    """How its owner says that it is broken, and failed over: `[[faults]]` tables, and the region that must then serve."""

    faults: tuple[Mapping[str, Any], ...]
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class RolesStayPart:
    """After a drill its sites keep the roles that they have then: nobody waits for the primary to serve again."""


@dataclass(frozen=True, slots=True)
class RowsPart:
    """How rows are read where nobody outside can connect to the database: of a region and a statement, every row of it as
    (key, content, copies), in the order of their keys."""

    read: Callable[[str, str], Iterable[tuple[int, int, int]]]


@dataclass(frozen=True, slots=True)
class SharedStorePart:
    """Others keep records in its stores too: of what survived, only keys of the drill's own range are the drill's."""


@dataclass(frozen=True, slots=True)
class LoadLimitPart:
    """How much may be asked of it: `rate_cap` requests a second at most, whatever a command line says, and `rate` writes a
    second where it says nothing. With `read_keys` nothing is ever written: records of these keys are read, `rate` a second."""

    rate: float
    rate_cap: float
    read_keys: tuple[int, ...] = ()


class MissingPart(Exception):
    """A world lacks a part that what was asked of it needs."""


def part_of(world: World, kind: type[P]) -> P:
    """That part of the world; raises MissingPart where it has none."""
    found = world.part(kind)
    if found is None:
        raise MissingPart(f"the target {world.target} has no {kind.__name__}, which this needs")
    return found
