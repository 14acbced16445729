"""The life of a load generator: it starts, records, is noticed when it dies, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

from drill.history import OPS_SCHEMA, Op, Outcome
from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.run_layout import child_environment
from infra_fixtures.safety.lease import work_dirs, work_prefix
from infra_fixtures.safety.sweep import sweep
from tests.traffic.conftest import Stage, await_ops
from traffic.load import Load
from traffic.records import read_spool
from traffic.runner import LoadGenerator, TrafficFailed

READ = pl.col("op") == "read"


def test_every_request_is_recorded_exactly_as_the_service_saw_it(stage: Stage) -> None:
    """Counts and keys of orders, receipts and reads equal the service's own log, and Locust's own counters."""
    heard: list[Op] = []
    load = Load(reads_per_s=40, seed=5)
    with stage.generator(load, on_ops=heard.extend) as generator:
        await_ops(generator, 10, READ)
    ops = generator.ops()
    assert generator.failure is None
    assert ops.schema == OPS_SCHEMA
    writes = ops.filter(op="write")
    assert sorted(writes["key"]) == sorted(stage.east.writes())
    assert sorted(writes["key"]) == list(range(load.first_key, load.first_key + writes.height))
    assert sorted(ops.filter(op="put_object")["key"]) == sorted(k for k in writes["key"] if k % 10 == 0)
    assert sorted(ops.filter(READ)["key"]) == sorted(s.key for s in stage.east.seen if s.method == "GET")
    assert set(ops["outcome"]) == {"ok"}
    assert set(ops["region"]) == {"us-east-1"}
    assert ops.filter(
        ~pl.col("intended_ns").le(pl.col("began_ns")) | ~pl.col("began_ns").le(pl.col("ended_ns"))
    ).is_empty()
    assert [(o.op, o.key, o.outcome) for o in heard] == [(*r, Outcome.OK) for r in ops.select("op", "key").rows()]
    (finished,) = read_spool(generator.spool).finished
    assert (finished.ops, finished.requests) == (ops.height, len(stage.east.seen))


def test_reads_ask_only_for_orders_acknowledged_two_seconds_before(stage: Stage) -> None:
    """Replication lag must not fail a read, so the order it asks for is settled."""
    with stage.generator(Load(reads_per_s=100)) as generator:
        ops = await_ops(generator, 50, READ)
    acknowledged = ops.filter(op="write", outcome="ok").select("key", acknowledged="ended_ns")
    reads = ops.filter(READ).join(acknowledged, on="key", how="left")
    assert reads.filter(pl.col("intended_ns") - pl.col("acknowledged") >= 2_000_000_000).height == reads.height


def test_the_service_gets_the_name_and_the_key(stage: Stage) -> None:
    """Host and x-api-key are sent, although the connection goes to a resolved address."""
    with stage.generator(Load()):
        pass
    first = stage.east.seen[0]
    assert (first.headers["host"], first.headers["x-api-key"]) == ("api.dr-drill.example:18080", "a-key")


def test_a_seed_gives_the_same_orders_to_the_same_cohorts(stage: Stage) -> None:
    """Two generators of one seed, side by side, send the same keys by the same cohorts."""
    load = Load(seed=11, reads_per_s=0)
    with stage.generator(load, "one") as one, stage.generator(load, "two") as two:
        await_ops(one, 50)
        await_ops(two, 50)
    columns = ["op", "key", "cohort"]
    both = [g.ops().select(columns).sort(columns) for g in (one, two)]
    shortest = min(f["key"].max() for f in both)  # type: ignore[type-var]
    assert_frame_equal(*(f.filter(pl.col("key") < shortest) for f in both))
    assert {s.key for s in stage.east.seen} == {k for f in both for k in f["key"]}


def test_stop_leaves_no_process_and_no_socket(stage: Stage) -> None:
    """After stop only the records and the log are there."""
    with stage.generator(Load()) as generator:
        pid = generator.pid
        assert generator.alive
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert not generator.alive
    assert sorted(p.name for p in generator.spool.parent.iterdir()) == ["locust.log", "traffic.spool"]
    generator.stop()
    assert generator.failure is None


def test_what_is_in_flight_at_the_stop_is_in_doubt(stage: Stage) -> None:
    """Orders that nobody answered before the stop were sent, so they are recorded as unknown, none is dropped."""
    with stage.generator(Load(reads_per_s=0)) as generator:
        stage.east.mode = "frozen"
        stage.let_pass(0.5)
        began = time.monotonic()
        generator.stop(1.5)
    assert time.monotonic() - began < 2.5
    assert generator.failure is None
    writes = generator.ops().filter(op="write")
    assert sorted(writes["key"]) == sorted(stage.east.writes())
    left = writes.filter(error="stopped")
    assert left.height >= 90
    assert set(left["outcome"]) == {"unknown"}


def test_locust_killed_is_noticed_and_leaves_its_records(stage: Stage) -> None:
    """SIGKILL: `failure` says so within a second, and the spool holds what ops() shows."""
    with stage.generator(Load()) as generator:
        await_ops(generator, 100)
        assert generator.pid is not None
        os.kill(generator.pid, signal.SIGKILL)
        wait_until(lambda: generator.failure, what="the death to be noticed", timeout_s=1)
    assert generator.failure is not None
    assert "killed by SIGKILL" in generator.failure
    spooled = read_spool(generator.spool)
    assert_frame_equal(spooled.ops(), generator.ops())
    assert spooled.count >= 100
    assert tuple(spooled.samples) == generator.samples()


def test_a_locust_that_hangs_is_killed_in_time(stage: Stage) -> None:
    """A stopped process does not hold up the end, and the end says that records are missing."""
    with stage.generator(Load()) as generator:
        assert generator.pid is not None
        os.kill(generator.pid, signal.SIGSTOP)
        began = time.monotonic()
        generator.stop(0.5)
    assert time.monotonic() - began < 2.5
    assert not generator.alive
    assert "did not stop in time" in (generator.failure or "")


def test_a_generator_that_cannot_start_says_why(stage: Stage) -> None:
    """Locust's last log lines are in the sentence, and nothing stays behind."""
    environment = child_environment(stage.layout, LOCUST_RUN_TIME="nonsense")
    generator = LoadGenerator(
        Load(), stage.service(), t0_ns=0, directory=Path(stage.layout.work_dir) / "traffic", environment=environment
    )
    with pytest.raises(TrafficFailed, match=r"(?s)ended with status.*locust\.log:\n.*run.time"):
        generator.start()
    assert not generator.alive
    assert sorted(p.name for p in generator.spool.parent.iterdir()) == ["locust.log", "traffic.spool"]


def test_a_directory_with_records_is_not_written_to_again(stage: Stage) -> None:
    """Two generators in one directory would mix their records."""
    with stage.generator(Load()), pytest.raises(UnusableInput, match="a directory of its own"):
        stage.generator(Load()).start()


def test_a_killed_harness_takes_the_load_with_it_and_leaves_records(stage: Stage) -> None:
    """Locust ends by itself when the harness that records it is gone; the spool up to then is readable.

    The directory of its socket is found and removed as one of the run's, however long the path of the records is.
    """
    run_id = f"killed-{os.getpid()}"
    directory = Path(stage.layout.work_dir) / ("traffic" * 20)
    program = (
        "import sys, pathlib, time, threading\n"
        "from traffic.load import Load, Service\n"
        "from traffic.runner import LoadGenerator\n"
        f"g = LoadGenerator(Load(), Service(dns_host={stage.layout.dns.host!r}, dns_port={stage.layout.dns.port}),"
        f" t0_ns=time.monotonic_ns(), directory=pathlib.Path({str(directory)!r}), environment={{}},"
        f" private_prefix={work_prefix(run_id) + 'traffic-'!r})\n"
        "g.start()\n"
        "print(g.pid, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        locust = psutil.Process(int(harness.stdout.readline()))
        wait_until(lambda: len(stage.east.seen) >= 100, what="load", timeout_s=5)
        harness.kill()
    wait_until(lambda: not locust.is_running(), what="Locust to end by itself", timeout_s=2)
    assert read_spool(directory / "traffic.spool").count >= 50
    assert len(work_dirs(run_id)) == 1
    sweep(run_id)
    assert work_dirs(run_id) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_temporary_directory_of_any_length_holds_the_socket(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """Twice what a socket's path may have: the load is recorded, and nothing is left there."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with stage.generator(Load(), workers=workers) as generator:
        await_ops(generator, 10)
    assert list(deep.iterdir()) == []
