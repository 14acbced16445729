"""A whole embedded system for the tests that need one, and what may be asked of it as its users and operators would."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from drill.wait import wait_until
from infra_fixtures.gate import GateNotPassed
from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.targets.own_processes import call_global_process
from infra_fixtures.targets.world import Entry, World
from probes.steady_state import await_steady_state
from probes.web import Client, ProbeRefused
from traffic.contract_file import order_api

_keys = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Region:
    """One region as its clients see it, past Route 53."""

    world: Embedded
    name: str
    web: Client = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "web", Client(self.world.regional(self.name)))

    def order(self, key: int | None = None, *, receipt: bool = False) -> int:
        """Store an order and return its key; ProbeRefused or urllib3's HTTPError where that fails."""
        key = next(_keys) if key is None else key
        said = self.web.send(order_api().write, key=key, content=7, receipt=receipt)
        assert said["stored"] is True
        return key

    def refusal(self) -> str:
        """Why an order is not stored, in the words of who refuses it; empty where it is stored."""
        try:
            self.order()
        except (ProbeRefused, urllib3.exceptions.HTTPError) as e:
            return f"{type(e).__name__}: {e}"
        return ""

    def holds(self, key: int) -> bool:
        """Whether the region's own database shows the order."""
        status = self.web.status(f"/orders/{key}")
        assert status in (200, 404), f"{self.name} cannot be read: {status}"
        return status == 200


@dataclass(frozen=True, slots=True)
class System:
    """A world that stands, and its two regions."""

    world: Embedded
    primary: Region
    standby: Region

    def writer(self) -> str:
        """The region whose cluster is the global cluster's writer, as the standby's RDS API says."""
        rds = self.world.client("rds", self.world.standby)
        found = rds.describe_global_clusters(GlobalClusterIdentifier=self.world.deployed.global_cluster_id)
        members: list[dict[str, Any]] = found["GlobalClusters"][0]["GlobalClusterMembers"]
        return next(str(m["DBClusterArn"]).split(":")[3] for m in members if m["IsWriter"])

    def link_state(self, link: str) -> dict[str, Any]:
        """A link of the primary region, as the data plane tells it."""
        state = call_global_process(self.world.layout, "GET", "/state")
        found: dict[str, Any] = state["links"][self.world.primary][link]
        return found

    def elsewhere(self, dns: tuple[str, int]) -> World:
        """The same world with another name server at its entry."""

        class Elsewhere(Embedded):
            __slots__ = ()

            @property
            def entry(self) -> Entry:
                return dataclasses.replace(super().entry, dns=dns)

        world = self.world
        return Elsewhere(world.layout, world.journal, world.deployed, world.changes, world.machinery, world.clients)

    def is_as_before(self, lasting_s: float = 0.0) -> None:
        """Wait until all serves as it did, an order of the primary reaches the standby, and no fault is open.

        The alarm of a fault may go off after it is healed and move the writer once more, so that the roles are given back
        until they stay, for `lasting_s` where a fault lasted long enough for that.
        """
        since_s = time.monotonic()

        def steady() -> bool:
            nonlocal since_s
            if self.writer() != self.world.primary:
                since_s = time.monotonic()
            self.world.return_to_primary()
            try:
                await_steady_state(self.world, timeout_s=4.0)
            except GateNotPassed:
                return False
            return self.writer() == self.world.primary and time.monotonic() - since_s >= lasting_s

        wait_until(steady, what="the system to be as it was before", timeout_s=40)
        key = self.primary.order()
        wait_until(lambda: self.standby.holds(key), what="an order to reach the standby", timeout_s=10)
        assert self.world.journal.open_entries() == []


@contextlib.contextmanager
def real_world(runs_dir: Path) -> Iterator[System]:
    """The whole embedded system, steady, torn down at the end."""
    with standing("embedded", pace=10.0, runs_dir=runs_dir) as world:
        assert isinstance(world, Embedded)
        await_steady_state(world)
        primary, standby = Region(world, world.primary), Region(world, world.standby)
        with primary.web, standby.web:
            yield System(world, primary, standby)


@pytest.fixture(scope="package")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system that stands for a whole package, whose conftest imports this."""
    with real_world(tmp_path_factory.mktemp("runs")) as system:
        yield system


@pytest.fixture
def system(shared_system: System) -> Iterator[System]:
    """The system as it is in normal operation; at the end it must be so again by itself, for the next test."""
    yield shared_system
    shared_system.is_as_before()
