"""A world on this machine: what faults, probes and scenarios see of it, and its powers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.pace import sentence
from infra_fixtures.powers import REPLICATION, Harm, Instant, LinkName, Role
from infra_fixtures.provision import Deployed
from infra_fixtures.run_layout import EDGE_PORT, RunLayout, child_environment
from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.change_feed import ChangeFeed
from infra_fixtures.targets.clients import Clients, Make, of_one_session
from infra_fixtures.targets.machinery import LocalMachinery
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.own_processes import (
    call_global_process,
)
from infra_fixtures.targets.parts import NameServersPart
from infra_fixtures.targets.provisioned_parts import KINDS, provisioned_parts
from infra_fixtures.targets.roles import return_to_primary
from infra_fixtures.targets.world import DatabaseEndpoint, Death, Endpoint, Entry
from infra_fixtures.topology import Topology
from traffic.contract_file import order_api

P = TypeVar("P")

FIDELITY = {
    "control plane": "EMULATOR",
    "dns and health checks": "MODEL",
    "api gateway": "MODEL",
    "lambda": "MODEL",
    "aurora": "MODEL",
    "s3": "EMULATOR",
    "s3 replication": "MODEL",
    "network": "MODEL",
    "cloudwatch": "MODEL",
    "client traffic": "REAL",
}
"""By component; MODEL is a process of ours that follows AWS's documented rules, EMULATOR somebody else's stand-in."""

NOT_PROVEN = (
    "that AWS's own services behave as these models of them do",
    "Aurora's storage layer and managed promotion: PostgreSQL streaming replication stands in for them",
    "capacity: the standby's limits are a model's, and the load is small",
)

UNCONFINED = "that a function reaches nothing of the harness: functions ran as the harness's own user"
"""Of a harness that may not become another user."""


def _as_planned(layout: RunLayout) -> RunLayout:
    return layout


@contextlib.contextmanager
def _nothing(clients: Clients, topology: Topology, run_id: str) -> Iterator[None]:
    """Nothing has to be ready before provisioning, and all that was made goes with the processes that hold it."""
    yield


@dataclass(frozen=True, slots=True)
class Variant:
    """What another target on this machine has instead: its own AWS API, and its own words about it.

    `arrange` adds to the layout who answers the AWS API; `around` is entered when it answers and before anything is
    made, and left while all still runs.
    """

    target: str = "embedded"
    fidelity: Mapping[str, str] = field(default_factory=lambda: FIDELITY)
    not_proven: tuple[str, ...] = NOT_PROVEN
    clients: Callable[[AccessKey], Make] = of_one_session
    arrange: Callable[[RunLayout], RunLayout] = _as_planned
    around: Callable[[Clients, Topology, str], AbstractContextManager[None]] = _nothing
    stop_conditions: tuple[Condition, ...] = ()


@dataclass(slots=True)
class Embedded:
    """A world on this machine; it has every power."""

    layout: RunLayout
    journal: Journal
    deployed: Deployed
    changes: ChangeFeed
    machinery: LocalMachinery
    clients: Clients
    variant: Variant = field(default_factory=Variant)
    _parts: Mapping[type, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Its parts stay what they are for as long as it stands."""
        endpoints = {region: self.regional(region) for region in self.deployed.regions}
        servers = NameServersPart({"the zone's own": (self.layout.dns.host, self.layout.dns.port)})
        self._parts = {**provisioned_parts(self.deployed, order_api(), endpoints), NameServersPart: servers}

    @property
    def target(self) -> str:
        """The target's name."""
        return self.variant.target

    @property
    def run_id(self) -> str:
        """The run that it belongs to."""
        return self.deployed.run_id

    @property
    def topology_digest(self) -> str:
        """What was provisioned, as a checksum."""
        return self.deployed.topology_digest

    def part(self, kind: type[P]) -> P | None:
        """Any of those that provisioning makes."""
        found = self._parts.get(kind)
        return found if isinstance(found, kind) else None

    @property
    def pace(self) -> float:
        """How many times faster than AWS's the timers run."""
        return self.layout.pace

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""
        return self.layout.primary.name

    @property
    def standby(self) -> str:
        """The region that takes over."""
        return self.layout.standby.name

    @property
    def fidelity(self) -> Mapping[str, str]:
        """By component."""
        return self.variant.fidelity

    @property
    def not_proven(self) -> tuple[str, ...]:
        """What a run on this target cannot prove."""
        unconfined = UNCONFINED if self.layout.worker_uid is None else None
        return tuple(s for s in (*self.variant.not_proven, sentence(self.pace), unconfined) if s is not None)

    @property
    def stop_conditions(self) -> tuple[Condition, ...]:
        """What ends every drill here, whatever else does."""
        return self.variant.stop_conditions

    @property
    def entry(self) -> Entry:
        """The way in, through our Route 53."""
        return Entry(
            f"http://{self.deployed.api_name}:{EDGE_PORT}",
            self.deployed.api_key,
            (self.layout.dns.host, self.layout.dns.port),
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """The run id, and what Python needs."""
        return child_environment(self.layout)

    @property
    def access_key(self) -> AccessKey:
        """What the AWS API of this run knows the harness, and the person at it, by."""
        return self.layout.credentials.user

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client at the region's own endpoint."""
        return self.clients.client(service, region)

    def deaths(self) -> Sequence[Death]:
        """Which of the run's own processes died unasked."""
        return self.machinery.deaths()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The run's own processes by part."""
        return self.machinery.processes()

    def regional(self, region: str) -> Endpoint:
        """The region's regional endpoint, by its address and the name AWS would give it."""
        host = self.deployed.regions[region].api_host
        return Endpoint(
            self.layout.region(region).edge.url + f"/{self.deployed.stage}",
            {"host": host, "x-api-key": self.deployed.api_key},
        )

    def database(self, region: str) -> DatabaseEndpoint:
        """The region's node, past the links of its VPC; user and password are those of the secret in that region."""
        node, secrets = self.layout.region(region).node, self.client("secretsmanager", region)
        value = secrets.get_secret_value(SecretId=self.deployed.regions[region].secret_arn)
        user = json.loads(value["SecretString"])
        return DatabaseEndpoint(node.host, node.port, self.deployed.database, user["username"], user["password"])

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """Return at the next change of one of `services`, or after `timeout_s`."""
        self.changes.wait(services, timeout_s)

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through."""
        return self.clients.guard.healing()

    def lose_region(self, region: str) -> Instant:
        """Kill the region's processes, cut its links, take its AWS API away."""
        self.clients.guard.allow_power("lose_region", region)
        return _instant(call_global_process(self.layout, "POST", f"/regions/{region}/lose"))

    def restore_region(self, region: str) -> None:
        """Give it all back."""
        call_global_process(self.layout, "POST", f"/regions/{region}/restore")

    def harm_processes(self, region: str, role: Role, harm: Harm, az: str | None = None) -> Instant:
        """Stop, kill or freeze the region's processes of a role, in one zone or all."""
        self.clients.guard.allow_power("harm_processes", region)
        return _instant(call_global_process(self.layout, "POST", _processes(region, role, harm, az)))

    def restore_processes(self, region: str, role: Role, az: str | None = None) -> None:
        """Start or thaw them; a database joins the present writer."""
        call_global_process(self.layout, "POST", _processes(region, role, "restore", az))

    def add_link_rule(self, link: LinkName, rule_id: str, rule: LinkRule) -> Instant:
        """Put a rule on a link."""
        self.clients.guard.allow_power("add_link_rule", _region_of(link))
        return _instant(call_global_process(self.layout, "PUT", _rule(link, rule_id), msgspec.to_builtins(rule)))

    def remove_link_rule(self, link: LinkName, rule_id: str) -> None:
        """Take a rule off a link."""
        call_global_process(self.layout, "DELETE", _rule(link, rule_id))

    def reset_link(self, link: LinkName) -> Instant:
        """Reset what is open on a link."""
        self.clients.guard.allow_power("reset_link", _region_of(link))
        return _instant(call_global_process(self.layout, "POST", f"/links/{link.scope}/{link.link}/reset"))

    def return_to_primary(self) -> None:
        """Give the roles back as they were before the drill."""
        return_to_primary(self)


def outlook_on_this_machine(target: str, topology: Topology) -> Outlook:
    """What every world on this machine will have."""
    primary, standby = topology.region_names
    return Outlook(
        target, primary, standby, lambda power: issubclass(Embedded, power), (KINDS | {NameServersPart}).__contains__
    )


def _processes(region: str, role: Role, action: str, az: str | None) -> str:
    return f"/regions/{region}/processes/{role}/{action}" + (f"?az={az}" if az else "")


def _region_of(link: LinkName) -> str:
    return GLOBAL if link.scope == REPLICATION.scope else link.scope


def _rule(link: LinkName, rule_id: str) -> str:
    return f"/links/{link.scope}/{link.link}/rules/{rule_id}"


def _instant(answer: Mapping[str, Any]) -> Instant:
    return Instant(int(answer["began_ns"]), int(answer["ended_ns"]))
