"""A lost region: nobody answers there, neither service nor AWS, until it is given back."""

from __future__ import annotations

import socket
import time

import pytest
from botocore.exceptions import BotoCoreError

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.region_lost import RegionLost
from tests.real_world import System


def test_a_lost_region_is_silent_and_comes_back(system: System) -> None:
    """Edge, AWS API and database of the region are gone at once, the other region serves on; healing brings all back."""
    world = system.world
    kept = system.primary.order()
    wait_until(lambda: system.standby.holds(kept), what="the order to reach the standby", timeout_s=5)
    before_ns = time.monotonic_ns()
    with injected(world, RegionLost(world.primary)) as effect:
        assert before_ns <= effect.began_ns <= effect.effective_ns <= time.monotonic_ns()
        assert [b.fault for b in world.journal.open_entries()] == ["region_lost"]
        assert system.primary.web.status("/health") == 0
        assert system.standby.web.status("/health") == 200
        with pytest.raises(BotoCoreError):
            world.client("lambda", world.primary).get_account_settings()
        node = world.layout.region(world.primary).node
        with pytest.raises(OSError), socket.create_connection((node.host, node.port), timeout=1):
            pass
    assert world.journal.open_entries() == []
    system.is_as_before()
    assert system.primary.holds(kept)
