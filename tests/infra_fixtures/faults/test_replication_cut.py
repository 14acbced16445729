"""A partitioned link between the regions: orders are taken, and do not arrive in the standby."""

from __future__ import annotations

import time

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.replication_cut import ReplicationCut
from tests.real_world import System


def test_a_dark_link_holds_back_what_is_written(system: System) -> None:
    """What is acknowledged while the link is partitioned is not in the standby; once it carries again, it arrives."""
    world = system.world
    with injected(world, ReplicationCut()) as effect:
        assert effect.subject == f"{world.primary}->{world.standby}"
        held_back = system.primary.order()
        dark_until = time.monotonic() + 0.7
        while time.monotonic() < dark_until:
            assert not system.standby.holds(held_back)
    assert world.journal.open_entries() == []
    wait_until(lambda: system.standby.holds(held_back), what="the order held back", timeout_s=5)
