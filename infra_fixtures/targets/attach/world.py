"""An attached system as faults, probes and load see it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from drill.host_environment import child_environment
from infra_fixtures.run_layout import REPOSITORY, RUN_ID_VARIABLE
from infra_fixtures.targets.attach.description import Description, Site
from infra_fixtures.targets.attach.orphan import AttachOrphan
from infra_fixtures.targets.attach.place import is_name, password, regions_by_address
from infra_fixtures.targets.parts import (
    ApiPart,
    BreakPart,
    DnsPart,
    HeartbeatPart,
    LoadLimitPart,
    MissingPart,
    RolesStayPart,
    SharedStorePart,
    WalPart,
    WorkloadPart,
)
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import DatabaseEndpoint, Endpoint, Entry
from traffic.contract import Contract

P = TypeVar("P")

NOTHING_MADE = "REAL: attached, not ours; nothing of it was made, and nothing but what its description says was changed"
FIDELITY: Mapping[str, str] = {
    "application": NOTHING_MADE,
    "name server": "REAL: attached, not ours",
    "client traffic": "REAL: sent from this machine",
}
NOT_PROVEN = (
    "what becomes of users elsewhere: requests were sent from this machine alone, and resolved names as it does",
    "what else happened to the system meanwhile: its owner's other changes and other users are not known to the drill",
)
ROLES_LEFT = "that the primary can serve again: roles were left as they were after the drill, as the description says"
READ_ONLY = "whether writes were served, and whether any were lost: nothing but reads was sent, as the description says"
NO_STORE = "what a region's own database holds: survivors were read from the application's own list"
SHARED_ADDRESS = "which site served, but where the application says so itself: both are reached at the same address"
NO_PROMOTION = (
    "that a database was promoted: its writes were seen to be acknowledged by the standby, and to be there afterwards"
)
NO_GUARD = "that no game day of another machine ran at the same time: the lock of an attached system is this machine's"


class Attached(AttachOrphan):
    """The world. `beside` is the directory of its description."""

    target = "attach"
    pace = 1.0

    def __init__(self, config: TargetConfig, described: Description, contract: Contract, beside: Path) -> None:
        super().__init__(config.run)
        self.run_id, self.journal, self.stop_conditions = config.run.run_id, config.journal, config.stop_conditions
        self.primary, self.standby = described.primary.name, described.standby.name
        self.topology_digest = described.digest
        self.fidelity = FIDELITY
        self._described = described
        self._beside = beside
        regions = regions_by_address(described)
        self.entry = Entry(described.service.url, api_key="", dns=described.service.name_server, regions=regions)
        self.not_proven = tuple(_not_proven(described, contract, regions))
        self._parts: Mapping[type, Any] = {type(p): p for p in _parts(described, contract)}

    @property
    def environment(self) -> Mapping[str, str]:
        """The run id, by which the load generator is found again."""
        return child_environment(os.environ, PYTHONPATH=str(REPOSITORY), **{RUN_ID_VARIABLE: self.run_id})

    def part(self, kind: type[P]) -> P | None:
        """What the description says that it has."""
        return self._parts.get(kind)

    def return_to_primary(self) -> None:
        """[failback] is in the journal as undo, and done with it."""

    def database(self, region: str) -> DatabaseEndpoint:
        """A site's own, where the description says how it is reached; raises MissingPart or UnusableInput."""
        site = self._site(region)
        database = site.database
        if database is None:
            raise MissingPart(
                f"the site {region} has no table database, which survivors.rows needs: add it, or describe survivors.listing"
            )
        secret = password(site, self._beside, os.environ)
        return DatabaseEndpoint(database.host, database.port, database.dbname, database.user, secret)

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """Nothing tells of changes."""
        time.sleep(timeout_s)

    def _site(self, region: str) -> Site:
        return next(site for site in self._described.sites if site.name == region)


def load_limit_of(described: Description) -> LoadLimitPart:
    """How much it may be asked."""
    return LoadLimitPart(described.rate, described.rate_cap, described.read_keys)


def _parts(described: Description, contract: Contract) -> list[Any]:
    secrets = contract.secrets()
    endpoints = {
        site.name: Endpoint(site.url.rstrip("/"), {**contract.headers, **secrets, **site.headers})
        for site in described.sites
    }
    parts: list[Any] = [
        WorkloadPart(contract),
        ApiPart(endpoints),
        load_limit_of(described),
        SharedStorePart(),
    ]
    if contract.beat is not None and not described.read_only:
        parts.append(HeartbeatPart(contract.beat))
    elif all(site.database is not None for site in described.sites):
        parts.append(WalPart())
    if is_name(described.service.url):
        parts.append(DnsPart(urlsplit(described.service.url).hostname or "", described.service.dns_every_s))
    if faults := described.faults():
        parts.append(BreakPart(faults, described.standby.name if described.moves else None))
    if described.failback == "left":
        parts.append(RolesStayPart())
    return parts


def _not_proven(described: Description, contract: Contract, regions: Mapping[str, str]) -> list[str]:
    said = [*NOT_PROVEN, NO_PROMOTION, NO_GUARD]
    if contract.survivors.rows is None:
        said.append(NO_STORE)
    if described.read_only:
        said.append(READ_ONLY)
    if described.failback == "left":
        said.append(ROLES_LEFT)
    if not {site.name for site in described.sites} <= set(regions.values()):
        said.append(SHARED_ADDRESS)
    return said
