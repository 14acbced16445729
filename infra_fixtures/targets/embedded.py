"""The embedded target: everything on this machine, moto as the AWS API, real processes as the data plane."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from drill.host_environment import keep_to_this_machine
from drill.unusable import UnusableInput
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.gate import EVERYWHERE, GateNotPassed, gate
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.pace import sentence
from infra_fixtures.powers import REPLICATION, Harm, Instant, LinkName, Role
from infra_fixtures.provision import Deployed, arm, invoke_orders, make_clients, migrate, provision
from infra_fixtures.run_layout import EDGE_PORT, RunLayout, child_environment
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.lease import lease, require_free
from infra_fixtures.safety.scope import GLOBAL
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.change_feed import ChangeFeed
from infra_fixtures.targets.clients import Clients, Make, of_one_session
from infra_fixtures.targets.local_orphan import LocalOrphan
from infra_fixtures.targets.machinery import LocalMachinery
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.own_processes import (
    Started,
    answers,
    await_control_plane,
    await_data_plane,
    call_global_process,
    require_alive,
    start,
    stop,
)
from infra_fixtures.targets.provisioned_parts import provisioned_parts
from infra_fixtures.targets.roles import return_to_primary
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import DatabaseEndpoint, Death, Endpoint, Entry, World
from infra_fixtures.topology import Topology, embedded_topology
from traffic.contract import order_api

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
        endpoints = {region: self.regional(region) for region in self.deployed.regions}
        found = provisioned_parts(self.deployed, order_api(), endpoints).get(kind)
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


def stand(config: TargetConfig) -> AbstractContextManager[World]:
    """The embedded target of a run."""
    keep_to_this_machine(os.environ)
    return embedded(config, embedded_topology(config.run.pace))


def held(run: Header) -> AbstractContextManager[tuple[Condition, ...]]:
    """Nothing: what is made is nobody else's."""
    return contextlib.nullcontext(())


def orphan(run: Header) -> Orphan:
    """What is left of an embedded run."""
    return LocalOrphan(run)


@contextlib.contextmanager
def embedded(config: TargetConfig, topology: Topology, variant: Variant | None = None) -> Iterator[Embedded]:
    """Stand the whole system up on this machine; at the end its processes are stopped (`orphan` finds any rest).

    Raises UnusableInput where the machine cannot carry it (no PostgreSQL, a port in use), in one sentence.
    """
    variant = variant or Variant()
    run_id, pace, journal = config.run.run_id, config.run.pace, config.journal
    with lease(run_id) as leased:
        pg_bin, pg_uid = locate(leased.work_dir, leased.worker_uid)
        layout = RunLayout.plan(
            run_id=run_id,
            work_dir=leased.work_dir,
            pace=pace,
            network=leased.network,
            regions=topology.region_names,
            pg_bin=str(pg_bin),
            pg_uid=pg_uid,
            worker_uid=leased.worker_uid,
        )
        require_free(layout.addresses)
        layout = variant.arrange(layout)
        layout.save()
        processes: list[Started] = []
        changes = ChangeFeed(layout)
        clients = Clients(layout, variant.clients)
        try:
            processes.append(start(layout, "control plane", "infra_fixtures.control_plane"))
            processes.append(start(layout, "backbone", "infra_fixtures.data_plane"))
            machinery = LocalMachinery(layout, [*processes, Started("watchdog", config.watchdog)])
            with _garbage_collection_off():
                make_clients(clients, topology)
                await_control_plane(layout, processes)
            changes.start()

            def alive() -> None:
                require_alive(processes)
                _refuse_ended_processes(machinery)

            with contextlib.ExitStack() as parts:
                with _garbage_collection_off(), _naming_ended_processes(machinery):
                    parts.enter_context(variant.around(clients, topology, run_id))
                    with gate(EVERYWHERE, "provisioning"):
                        deployed = provision(
                            clients,
                            topology,
                            run_id,
                            is_final=lambda host: host.startswith(f"{leased.network}."),
                            edges={r.name: str(r.edge) for r in layout.regions},
                        )
                    world = Embedded(layout, journal, deployed, changes, machinery, clients, variant)
                    healthy = _healthy(world.regional(world.primary), topology.health_check.path)
                    _take_first_steps(clients, deployed, healthy, lambda: await_data_plane(layout, alive))
                yield world
        finally:
            changes.stop()
            stop(processes)
            clients.close()


@contextlib.contextmanager
def _garbage_collection_off() -> Iterator[None]:
    """Leave garbage while standing up: looking for it among all that boto3 makes takes a sixth of this process's own time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@contextlib.contextmanager
def _naming_ended_processes(machinery: LocalMachinery) -> Iterator[None]:
    """Where standing up fails because a process of the run died, say so instead of what came of it."""
    try:
        yield
    except UnusableInput:
        raise
    except Exception as e:
        _refuse_ended_processes(machinery, e)
        raise


def _refuse_ended_processes(machinery: LocalMachinery, cause: Exception | None = None) -> None:
    """Raise GateNotPassed where a process of the run died."""
    for death in machinery.deaths():
        region, of_region, _ = death.process.partition("/")
        raise GateNotPassed(region if of_region else EVERYWHERE, f"{death.process} died: {death.how}") from cause


def _healthy(at: Endpoint, path: str) -> Callable[[], bool]:
    """Whether a region answers its health check."""
    question = urllib.request.Request(at.url + path, headers=dict(at.headers))
    return lambda: answers(question)


def _take_first_steps(
    clients: Clients, deployed: Deployed, healthy: Callable[[], bool], await_data_plane: Callable[[], None]
) -> None:
    """Arm the failover alarm, once the primary is `healthy`; meanwhile create the tables and warm the functions.

    The migration and a call in each region leave as many workers as a system has that has been serving and looked at.
    """
    given_up = threading.Event()

    def well() -> bool:
        if given_up.is_set():
            raise RuntimeError("another step failed")
        return healthy()

    with ThreadPoolExecutor(1 + len(deployed.regions)) as pool:
        arming = pool.submit(arm, clients, deployed, well)
        try:
            await_data_plane()
            warming = {r: pool.submit(invoke_orders, clients, deployed, r, "ping") for r in deployed.regions}
            with gate(deployed.primary, "creating the tables"):
                migrate(clients, deployed)
            for region, step in warming.items():
                with gate(region, "the first call of the order API"):
                    step.result()
            with gate(deployed.primary, "its health check, before the failover alarm is armed"):
                arming.result()
        except BaseException:
            given_up.set()
            raise


def _processes(region: str, role: Role, action: str, az: str | None) -> str:
    return f"/regions/{region}/processes/{role}/{action}" + (f"?az={az}" if az else "")


def _region_of(link: LinkName) -> str:
    return GLOBAL if link.scope == REPLICATION.scope else link.scope


def _rule(link: LinkName, rule_id: str) -> str:
    return f"/links/{link.scope}/{link.link}/rules/{rule_id}"


def _instant(answer: Mapping[str, Any]) -> Instant:
    return Instant(int(answer["began_ns"]), int(answer["ended_ns"]))
