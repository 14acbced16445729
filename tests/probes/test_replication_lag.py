"""The lag is the age of what the standby lacks: 0 while it has all, growing while the link is dark."""

from __future__ import annotations

import time

from infra_fixtures.faults.database_lost import database_lost
from infra_fixtures.faults.replication_cut import replication_cut
from probes.replication_lag import ReplicationLag
from tests.probes.conftest import let_pass, watching
from tests.real_world import System


def test_the_lag_grows_while_the_link_is_dark(system: System) -> None:
    """Near 0 at first, as old as the darkness during it, and near 0 again after."""
    with watching(ReplicationLag(system.world)) as notebook:
        notebook.await_said("replication_lag_s", subject="aurora")
        notebook.await_value(below=0.3)
        with replication_cut(system.world) as effect:
            notebook.await_value(above=0.8)
            dark_s = (time.monotonic_ns() - effect.began_ns) / 1e9
            assert notebook.said[-1].value <= dark_s + 0.3, "no older than the darkness, and a heartbeat or two"
        notebook.await_value(below=0.3)


def test_an_unreadable_standby_gives_no_sample(system: System) -> None:
    """A lag that cannot be read is not guessed: no sample while the standby's database is down."""
    world = system.world
    with watching(ReplicationLag(world)) as notebook:
        notebook.await_said("replication_lag_s")
        with database_lost(world, world.standby):
            known = len(notebook.said)
            let_pass(0.6)
            assert len(notebook.said) <= known + 1, "at most the look that was under way"
        notebook.await_value(below=0.3)
