"""A service in two regions and the name server that leads to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from drill.history import NS
from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout, child_environment
from tests.traffic.name_server import NameServer
from tests.traffic.order_service import OrderService
from traffic.load import Load, Service
from traffic.runner import LoadGenerator


@dataclass
class Stage:
    """What a test plays on: both regions' services, the name server (answering east), and generators started on them."""

    layout: RunLayout
    east: OrderService
    west: OrderService
    names: NameServer
    stack: contextlib.ExitStack
    t0_ns: int = field(default_factory=time.monotonic_ns)

    def service(self) -> Service:
        """The service under its name."""
        return Service(api_key="a-key", dns_host=self.layout.dns.host, dns_port=self.layout.dns.port)

    def generator(
        self,
        load: Load,
        name: str = "traffic",
        service: Service | None = None,
        environment: Mapping[str, str] | None = None,
        **more: Any,
    ) -> LoadGenerator:
        """A load generator that is not started yet; stopped at the end of the test."""
        made = LoadGenerator(
            load,
            service or self.service(),
            t0_ns=self.t0_ns,
            directory=Path(self.layout.work_dir) / name,
            environment=child_environment(self.layout, **(environment or {})),
            **more,
        )
        self.stack.callback(made.stop, 0)
        return made

    def now_ns(self) -> int:
        """Nanoseconds since t0."""
        return time.monotonic_ns() - self.t0_ns

    def let_pass(self, seconds: float) -> None:
        """Let the load go on for so long."""
        until = self.now_ns() + int(seconds * NS)
        wait_until(lambda: self.now_ns() >= until, what="time to pass", timeout_s=seconds + 1)


def await_ops(generator: LoadGenerator, count: int, *conditions: pl.Expr) -> pl.DataFrame:
    """The ops so far, once `count` of them fulfil the conditions."""

    wait_until(lambda: generator.ops().filter(*conditions).height >= count, what=f"{count} such ops", timeout_s=10)
    return generator.ops()


@pytest.fixture
def stage(layout: RunLayout) -> Iterator[Stage]:
    """Both regions up, DNS leading to the primary with a TTL of 1 s."""
    with contextlib.ExitStack() as stack:
        here, there = layout.primary, layout.standby
        east = stack.enter_context(OrderService(here.edge.host, here.edge.port, here.name))
        west = stack.enter_context(OrderService(there.edge.host, there.edge.port, there.name))
        names = stack.enter_context(NameServer(layout.dns.host, layout.dns.port, here.edge.host, ttl=1))
        yield Stage(layout, east, west, names, stack)
