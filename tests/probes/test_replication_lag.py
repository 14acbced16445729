"""The lag is the age of what the standby lacks: 0 while it has all, growing while the link is partitioned."""

from __future__ import annotations

import time

from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.replication_cut import ReplicationCut
from infra_fixtures.targets.parts import HeartbeatPart, part_of
from probes.replication_lag import ReplicationLag
from probes.web import Client
from tests.probes.conftest import let_pass, watching
from tests.real_world import System


def test_the_lag_grows_while_the_link_is_partitioned(system: System) -> None:
    """Near 0 at first, as old as the partition during it, and near 0 again after."""
    with watching(ReplicationLag(system.world)) as notebook:
        notebook.await_said("replication_lag_s", subject="aurora")
        notebook.await_value(below=0.3)
        with injected(system.world, ReplicationCut()) as effect:
            lag_s = notebook.await_value(above=0.8).value
            partition_s = (time.monotonic_ns() - effect.began_ns) / 1e9
            assert lag_s <= partition_s + 0.3, "no older than the partition, and a heartbeat or two"
        notebook.await_value(below=0.3)


def test_a_current_standby_is_known_to_within_a_look(system: System) -> None:
    """Beside each lag stands how much it may be: never less, and close to it while the link is well."""
    with watching(ReplicationLag(system.world)) as notebook:
        notebook.await_value(what="replication_lag_upper_s", below=0.2)
        let_pass(0.5)
    lags, upper = notebook.found("replication_lag_s"), notebook.found("replication_lag_upper_s")
    assert [s.at_ns for s in lags] == [s.at_ns for s in upper]
    assert all(0 <= least.value < most.value for least, most in zip(lags, upper, strict=True))


def test_the_engine_claims_a_lag_that_grows_while_nothing_is_written(system: System) -> None:
    """A second after the last write the engine claims a second more, though the standby has all; a writer claims none."""
    world, beat = system.world, part_of(system.world, HeartbeatPart).beat
    with watching(ReplicationLag(world)) as notebook:
        claimed = notebook.await_said("engine_lag_s", subject="aurora")
        notebook.await_value(what="engine_lag_s", below=0.3)
    assert claimed.value > 0
    with Client(world.regional(world.standby)) as standby, Client(world.regional(world.primary)) as primary:
        before = standby.send(beat.read)
        let_pass(1.0)
        after = standby.send(beat.read)
        assert primary.send(beat.read)["engine_lag_s"] is None
    assert after["seq"] == before["seq"]
    assert after["engine_lag_s"] >= before["engine_lag_s"] + 0.9


def test_an_unreadable_standby_gives_no_sample(system: System) -> None:
    """A lag that cannot be read is not guessed: no sample while the standby's database is down."""
    world = system.world
    with watching(ReplicationLag(world)) as notebook:
        notebook.await_said("replication_lag_s")
        with injected(world, DatabaseLost(world.standby)):
            known = len(notebook.found("replication_lag_s"))
            let_pass(0.6)
            assert len(notebook.found("replication_lag_s")) <= known + 1, "at most the look that was under way"
        notebook.await_value(below=0.3)
