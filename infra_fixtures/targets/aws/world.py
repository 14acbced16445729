"""A system in an AWS account as faults, probes and load see it. It has no power: what AWS has no API for is not done to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from drill.host_environment import child_environment
from drill.unusable import UnusableInput
from infra_fixtures.provision import Deployed
from infra_fixtures.run_layout import EDGE_PORT, REPOSITORY, RUN_ID_VARIABLE
from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.stop_conditions import Condition, Until
from infra_fixtures.targets.aws import reading
from infra_fixtures.targets.aws.account import Account
from infra_fixtures.targets.aws.orphan import LOOK_EVERY_S, SWITCHOVER_S
from infra_fixtures.targets.parts import DnsPart, MissingPart, NameServersPart, RowsPart
from infra_fixtures.targets.provisioned_parts import provisioned_parts
from infra_fixtures.targets.roles import return_to_primary
from infra_fixtures.targets.world import DatabaseEndpoint, Endpoint, Entry
from traffic.contract_file import order_api

P = TypeVar("P")

COMPONENTS = (
    "control plane", "dns and health checks", "api gateway", "lambda", "aurora", "s3", "s3 replication", "network",
    "cloudwatch",
)  # fmt: skip
AT_AN_ENDPOINT = "EMULATOR: at the endpoint that was given, which is not AWS"
NOT_PROVEN = (
    "what becomes of users elsewhere: requests were sent from this machine alone, and resolved names by one of the zone's name "
    "servers, past every resolver's own cache",
    "the loss of a whole region: AWS has no API for it",
    "a database that cannot be read by a function beside it: survivors were read through one",
)
NOT_AWS = "anything about AWS itself: an emulator answered"
HEALED_BEFORE_S = 900.0
"""A drill ends so long before its credentials do, so that what it broke can be healed with them."""
PUBLIC_RESOLVERS = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
"""Of Google, Cloudflare and Quad9: what users elsewhere are answered, each as long as the TTL keeps it."""
ASK_NAME_SERVER_EVERY_S = 0.5


class Aws:
    """The world."""

    target = "aws"

    def __init__(
        self,
        account: Account,
        deployed: Deployed,
        journal: Journal,
        edges: Mapping[str, str],
        stops: tuple[Condition, ...],
    ) -> None:
        self._account = account
        self._deployed = deployed
        self._edges = edges
        self._emulated = account.settings.emulator is not None
        self.journal = journal
        self.run_id, self.pace = account.run.run_id, account.run.pace
        self.primary, self.standby = deployed.primary, deployed.standby
        self.topology_digest = account.system.digest
        self.guard = account.guard
        component = AT_AN_ENDPOINT if self._emulated else "REAL"
        self.fidelity: Mapping[str, str] = {**dict.fromkeys(COMPONENTS, component), "client traffic": "REAL"}
        self.not_proven = (*NOT_PROVEN, NOT_AWS) if self._emulated else NOT_PROVEN
        ends = account.ends
        self.stop_conditions = (*stops, *((Until(at=ends - dt.timedelta(seconds=HEALED_BEFORE_S)),) if ends else ()))
        self.entry = self._entry()
        contract = order_api()
        parts = provisioned_parts(deployed, contract, {region: self.regional(region) for region in deployed.regions})
        every_s = parts[DnsPart].every_s if self._emulated else ASK_NAME_SERVER_EVERY_S
        read = partial(reading.rows, account.reader, deployed.reader_function)
        targets = {made.domain_target: region for region, made in deployed.regions.items()}
        region_of = None if self._emulated else RegionOf(targets)
        own = (replace(parts[DnsPart], every_s=every_s, region_of=region_of), self._witnesses(), RowsPart(read))
        self._parts: Mapping[type, Any] = {**parts, **{type(part): part for part in own}}

    @property
    def environment(self) -> Mapping[str, str]:
        """The run id, by which the load generator is found again; no credentials."""
        return child_environment(os.environ, PYTHONPATH=str(REPOSITORY), **{RUN_ID_VARIABLE: self.run_id})

    def part(self, kind: type[P]) -> P | None:
        """Any of those that provisioning makes."""
        return self._parts.get(kind)

    def client(self, service: str, region: str | None = None) -> Any:
        """What reads is asked by the observer, what changes by the breaker, under the guard."""
        return self._account.client(service, region)

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through."""
        return self.guard.healing()

    def return_to_primary(self) -> None:
        """Switch over to the primary and stop diverting traffic from it; AWS may take minutes."""
        return_to_primary(self, timeout_s=SWITCHOVER_S, look_every_s=0.1 if self._emulated else LOOK_EVERY_S)

    def database(self, region: str) -> DatabaseEndpoint:
        """None: Aurora is in private subnets."""
        raise MissingPart(f"the database of {region} is in private subnets: rows are read by the function beside it")

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """Nothing tells of changes."""
        time.sleep(timeout_s)

    def regional(self, region: str) -> Endpoint:
        """The region's regional endpoint, past Route 53."""
        made = self._deployed.regions[region]
        key = {"x-api-key": self._deployed.api_key}
        if self._emulated:
            return Endpoint(f"http://{self._edges[region]}/{self._deployed.stage}", {"host": made.api_host, **key})
        return Endpoint(f"https://{made.api_host}/{self._deployed.stage}", key)

    def _entry(self) -> Entry:
        """Names are asked of the zone's own name servers: what a resolver between keeps would hide the failover."""
        key, name = self._deployed.api_key, self._deployed.api_name
        emulator = self._account.settings.emulator
        if emulator is not None:
            regions = {edge.rpartition(":")[0]: region for region, edge in self._edges.items()}
            return Entry(f"http://{name}:{EDGE_PORT}", key, emulator.name_server, regions)
        return Entry(f"https://{name}", key, (_addresses(self._servers()[0])[0], 53))

    def _witnesses(self) -> NameServersPart:
        """All of the zone's name servers, and resolvers that anybody may ask."""
        emulator = self._account.settings.emulator
        if emulator is not None:
            return NameServersPart({"the zone's own": emulator.name_server})
        own = {server: (_addresses(server)[0], 53) for server in self._servers()}
        return NameServersPart({**own, **{f"the resolver {address}": (address, 53) for address in PUBLIC_RESOLVERS}})

    def _servers(self) -> list[str]:
        """The names of the zone's name servers."""
        zone = self._account.client("route53").get_hosted_zone(Id=self._account.settings.zone_id)
        return [str(name) for name in zone["DelegationSet"]["NameServers"]]


class RegionOf:
    """Which region an address of API Gateway leads to; `targets` are the regions by what their records lead to.

    The addresses behind such a name are some of many: an unknown one has both names looked up again, at most once a second.
    """

    def __init__(self, targets: Mapping[str, str], addresses: Callable[[str], list[str]] | None = None) -> None:
        self._targets = targets
        self._addresses = addresses or _addresses
        self._known: dict[str, str] = {}
        self._again_s = 0.0

    def __call__(self, address: str) -> str | None:
        """None where it is neither's, or nobody can say now."""
        if address not in self._known and time.monotonic() >= self._again_s:
            for target, region in self._targets.items():
                with contextlib.suppress(UnusableInput):
                    self._known |= dict.fromkeys(self._addresses(target), region)
            self._again_s = time.monotonic() + 1.0
        return self._known.get(address)


def _addresses(name: str) -> list[str]:
    """The IPv4 addresses of a public name, by this machine's resolver; raises UnusableInput."""
    try:
        return sorted(
            {str(found[4][0]) for found in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)}
        )
    except OSError as e:
        raise UnusableInput(f"{name} cannot be resolved here ({e}): let this machine use a name server") from e
