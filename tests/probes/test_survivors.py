"""What survived is read whole, from both stores of a region, or not at all."""

from __future__ import annotations

import time

import pytest

from drill.wait import wait_until
from infra_fixtures.faults.lambda_throttled import lambda_throttled
from probes.survivors import read_survivors
from probes.web import ProbeRefused
from tests.real_world import System


def test_rows_and_receipts_of_the_standby_are_read(system: System) -> None:
    """Every order is in aurora, each with a receipt also in s3, once, at a time since t0."""
    t0_ns = time.monotonic_ns()
    keys = {system.primary.order(receipt=number % 2 == 0): number % 2 == 0 for number in range(6)}
    receipts = {key for key, receipt in keys.items() if receipt}

    def read() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"aurora": [], "s3": []}
        for survivor in read_survivors(system.world, system.world.standby, t0_ns):
            assert survivor.copies == 1
            assert 0 < survivor.at_ns <= time.monotonic_ns() - t0_ns
            found[survivor.store].append(survivor.key)
        return found

    wait_until(
        lambda: set(keys) <= set(read()["aurora"]) and receipts <= set(read()["s3"]), what="all to arrive", timeout_s=10
    )
    found = read()
    assert not (set(keys) - receipts) & set(found["s3"])
    assert all(len(store) == len(set(store)) for store in found.values())


def test_half_a_ledger_is_none(system: System) -> None:
    """Where the region's API refuses to give its orders, reading raises and says why."""
    world = system.world
    with lambda_throttled(world, world.standby, world.deployed.orders_function):
        wait_until(lambda: system.standby.web.status("/health") >= 500, what="the throttle to bite", timeout_s=3)
        with pytest.raises(ProbeRefused, match="GET /orders"):
            list(read_survivors(world, world.standby, 0))
