"""Several workers: together they send exactly the one schedule, on the harness's clock, and none is lost unnoticed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from drill.history import NS
from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.run_layout import child_environment
from tests.traffic.conftest import Stage, await_ops
from traffic import frames
from traffic.clock import SKEW_VARIABLE
from traffic.load import Load
from traffic.records import read_spool
from traffic.runner import LoadGenerator, Meeting, TrafficFailed, new_token
from traffic.worker import TOKEN_VARIABLE

READ = pl.col("op") == "read"


class Elsewhere:
    """Workers that a person starts on other machines: each by the printed command line, with a clock of its own."""

    def __init__(self, stage: Stage, *skews: str) -> None:
        self._stage = stage
        self._skews = skews
        self.printed: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, command: str) -> None:
        """Take the command line and run it."""
        self.printed.append(command)
        python, *rest = command.split()
        assert python == "python"
        for skew in self._skews:
            environment = child_environment(self._stage.layout, **{SKEW_VARIABLE: skew})
            with (Path(self._stage.layout.work_dir) / "elsewhere.log").open("ab") as out:
                process = subprocess.Popen([sys.executable, *rest], env=environment, stdout=out, stderr=out)
            self.processes.append(process)
            self._stage.stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@contextlib.contextmanager
def running(stage: Stage, load: Load, name: str = "traffic", **more: Any) -> Iterator[LoadGenerator]:
    """A generator that runs."""
    with stage.generator(load, name, **more) as generator:
        yield generator


def assert_whole(load: Load, ops: pl.DataFrame) -> None:
    """No order of the schedule is missing and none is there twice, and each has the time the schedule gives it."""
    writes = ops.filter(op="write").sort("key")
    assert writes["key"].to_list() == list(range(load.first_key, load.first_key + writes.height))
    begin = writes["intended_ns"][0]
    expected = [int(begin + n * NS / load.orders_per_s) for n in range(writes.height)]
    assert writes["intended_ns"].to_list() == expected


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_send_exactly_the_one_schedule(stage: Stage, workers: int) -> None:
    """Counts and keys equal the service's log; no gap, no double; each order has the cohort one process gives it."""
    load = Load(reads_per_s=40, seed=5)
    with running(stage, load, workers=workers) as generator:
        await_ops(generator, 8, READ)
        pids = generator.pids
    ops = generator.ops()
    assert generator.failure is None
    assert len(pids) == workers + 1
    assert_whole(load, ops)
    writes = ops.filter(op="write")
    assert sorted(writes["key"]) == sorted(stage.east.writes())
    assert sorted(ops.filter(op="put_object")["key"]) == sorted(k for k in writes["key"] if k % 10 == 0)
    assert sorted(ops.filter(READ)["key"]) == sorted(s.key for s in stage.east.seen if s.method == "GET")
    assert set(ops["outcome"]) == {"ok"}
    finished = read_spool(generator.spool).finished
    assert sorted(f.worker for f in finished) == list(range(workers))
    assert sum(f.ops for f in finished) == ops.height
    assert sum(f.requests for f in finished) == len(stage.east.seen)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    logs = ["locust.log", *(f"locust-worker-{n}.log" for n in range(workers)), "traffic.spool"]
    assert sorted(p.name for p in generator.spool.parent.iterdir()) == sorted(logs)

    with running(stage, load, "alone") as alone:
        await_ops(alone, 100)
    columns = ["key", "cohort"]
    one, several = (o.filter(op="write").sort("key").select(columns) for o in (alone.ops(), ops))
    shortest = min(one.height, several.height)
    assert one.head(shortest).equals(several.head(shortest))


def test_each_worker_reads_what_it_wrote_itself(stage: Stage) -> None:
    """A read asks for an order that the same worker had acknowledged two seconds before."""
    load = Load(reads_per_s=100)
    with running(stage, load, workers=2) as generator:
        await_ops(generator, 60, READ)
    ops = generator.ops()
    reads = ops.filter(READ).sort("intended_ns")
    begin, step = ops["intended_ns"].min(), NS / load.reads_per_s
    assert isinstance(begin, int)
    for key, intended in reads.select("key", "intended_ns").rows():
        number = round((intended - begin) / step - 0.5)
        assert (key - load.first_key) % 2 == number % 2
    acknowledged = ops.filter(op="write", outcome="ok").select("key", acknowledged="ended_ns")
    joined = reads.join(acknowledged, on="key", how="left")
    assert joined.filter(pl.col("intended_ns") - pl.col("acknowledged") >= 2 * NS).height == reads.height


def test_two_loads_side_by_side_do_not_meet(stage: Stage) -> None:
    """Ports are chosen free: each master has its own workers, and each load is whole."""
    loads = [Load(orders_per_s=60, reads_per_s=0, seed=seed) for seed in (1, 2)]
    generators = [stage.generator(load, f"load-{n}", workers=2) for n, load in enumerate(loads)]
    threads = [threading.Thread(target=g.start) for g in generators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for generator in generators:
        await_ops(generator, 50)
    for generator, load in zip(generators, loads, strict=True):
        generator.stop()
        assert generator.failure is None
        assert_whole(load, generator.ops())
    assert sorted(stage.east.writes()) == sorted(k for g in generators for k in g.ops().filter(op="write")["key"])


def test_a_killed_worker_is_noticed_within_a_second(stage: Stage) -> None:
    """SIGKILL of one of three: `failure` names it, the others' records are all kept, nothing is left behind."""
    load = Load(reads_per_s=0)
    with running(stage, load, workers=3) as generator:
        await_ops(generator, 100)
        pids = generator.pids
        killed_at = time.monotonic()
        os.kill(pids[2], signal.SIGKILL)
        wait_until(lambda: generator.failure, what="the death to be noticed", timeout_s=1)
        assert time.monotonic() - killed_at < 1
    failure = generator.failure or ""
    assert "SIGKILL" in failure or f"process {pids[2]} on" in failure
    lost = read_spool(generator.spool)
    done = {f.worker for f in lost.finished}
    assert len(done) == 2
    shares = {w: {k for k in stage.east.writes() if (k - load.first_key) % 3 == w} for w in done}
    recorded = set(generator.ops().filter(op="write")["key"])
    assert all(share <= recorded for share in shares.values())
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_silent_worker_is_late_at_once_and_lost_in_a_while(stage: Stage) -> None:
    """A frozen worker shows as lag after a second, and as a failure after three."""
    with running(stage, Load(reads_per_s=0), workers=2) as generator:
        await_ops(generator, 40)
        os.kill(generator.pids[1], signal.SIGSTOP)
        frozen_at = time.monotonic()
        wait_until(lambda: generator.failure, what="the silence to be noticed", timeout_s=5)
        assert 2.8 < time.monotonic() - frozen_at < 4.5
        lags = [s.value for s in generator.samples() if (s.metric, s.subject) == ("dispatch_lag_s", "collector")]
        assert max(lags) >= 2.8
        generator.stop(1)
    assert "silent for 3" in (generator.failure or "")


def test_a_lost_master_is_noticed(stage: Stage) -> None:
    """Without the master nobody would gather Locust's own counters, and nobody end workers that hang."""
    with running(stage, Load(reads_per_s=0), workers=2) as generator:
        await_ops(generator, 20)
        os.kill(generator.pids[0], signal.SIGKILL)
        wait_until(lambda: generator.failure, what="the death to be noticed", timeout_s=1)
    assert "Locust's master was killed by SIGKILL" in (generator.failure or "")


def test_workers_elsewhere_are_put_on_the_harness_clock(stage: Stage) -> None:
    """Clocks an hour ahead, two days behind, and fast: every order reaches the service when its record says it was sent.

    The service runs on the harness's clock, so its own log is the truth.
    """
    elsewhere = Elsewhere(stage, "3600", "-172800", "5,300e-6")
    load = Load(orders_per_s=150, reads_per_s=0)
    with running(stage, load, workers_elsewhere=3, announce=elsewhere) as generator:
        stage.let_pass(3.5)
    assert generator.failure is None
    assert_whole(load, generator.ops())
    samples = pl.DataFrame(
        [(s.subject, s.value) for s in generator.samples() if s.metric == "clock_offset_s"], orient="row"
    )
    bounds = dict(samples.group_by("column_0").max().rows())
    assert sorted(bounds) == ["locust-0", "locust-1", "locust-2"]
    assert 0 < max(bounds.values()) < 0.05
    assert samples.height >= 3 * 4

    arrived = {s.key: round(s.at * NS) - stage.t0_ns for s in stage.east.seen}
    for key, began, ended in generator.ops().filter(op="write").select("key", "began_ns", "ended_ns").rows():
        bound_ns = bounds[f"locust-{(key - load.first_key) % 3}"] * NS
        assert began - bound_ns <= arrived[key] <= ended + bound_ns
    for process in elsewhere.processes:
        assert process.wait(2) == 0


def test_local_and_other_workers_share_one_schedule(stage: Stage) -> None:
    """One process here and one elsewhere; the one elsewhere ends by itself when the drill has ended."""
    elsewhere = Elsewhere(stage, "-7")
    load = Load(reads_per_s=0)
    with running(stage, load, workers=1, workers_elsewhere=1, announce=elsewhere) as generator:
        await_ops(generator, 60)
    assert generator.failure is None
    assert len(generator.pids) == 2
    assert_whole(load, generator.ops())
    assert elsewhere.processes[0].wait(2) == 0


def test_the_token_is_in_no_record_and_on_no_command_line_here(stage: Stage) -> None:
    """Spool, logs and this machine's process list do not show what lets a worker join."""
    meeting = Meeting(token="the-token-of-the-day")
    load = Load(reads_per_s=0)
    with running(
        stage, load, workers=1, workers_elsewhere=1, meeting=meeting, announce=Elsewhere(stage, "0")
    ) as generator:
        await_ops(generator, 40)
        for pid in generator.pids:
            assert meeting.token not in " ".join(psutil.Process(pid).cmdline())
    assert "the-token" not in repr(meeting)
    for path in generator.spool.parent.iterdir():
        assert b"the-token" not in path.read_bytes()
        assert b"a-key" not in path.read_bytes()


def test_strangers_are_turned_away_and_change_nothing(stage: Stage) -> None:
    """Garbage, a wrong token, endless bytes, a second worker too many: the load goes on and stays proven."""
    elsewhere = Elsewhere(stage, "0")
    load = Load(reads_per_s=0)
    with running(stage, load, workers_elsewhere=1, announce=elsewhere) as generator:
        address = elsewhere.printed[0].split("--master ")[1].split()[0]
        host, port = address.split(":")
        assert host == "127.0.0.1"
        hello = frames.Hello("a guess", 1, "somewhere")
        false_ops = frames.Finished(0, 0, 0)
        for words in (b"GET / HTTP/1.1\r\n\r\n", frames.encode(hello), frames.encode(false_ops), b"\0" * 5000):
            with socket.create_connection((host, int(port)), timeout=2) as stranger:
                stranger.sendall(words)
                assert _ended(stranger)
        late = [sys.executable, *elsewhere.printed[0].split()[1:]]
        told = subprocess.run(
            late, env=child_environment(stage.layout), capture_output=True, text=True, timeout=10, check=False
        )
        assert told.returncode == 2
        assert told.stderr.startswith("all 1 workers of this drill have joined")
        await_ops(generator, 60)
    assert generator.failure is None
    assert_whole(load, generator.ops())


def _ended(stranger: socket.socket) -> bool:
    try:
        return stranger.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--master", "127.0.0.1:1", "--token", "x"], "no drill listens on 127.0.0.1:1"),
        (["--master", "nonsense", "--token", "x"], "not of the form HOST:PORT"),
        (["--master", "127.0.0.1:1"], TOKEN_VARIABLE),
    ],
)
def test_a_worker_that_cannot_join_says_why(arguments: list[str], sentence: str) -> None:
    """One line, status 2, no traceback."""
    command = [sys.executable, "-m", "traffic.worker", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert "Traceback" not in told.stderr


def test_workers_that_do_not_come_are_named(stage: Stage) -> None:
    """The drill does not wait for ever, and leaves nothing behind."""
    printed: list[str] = []
    generator = stage.generator(
        Load(), workers=1, workers_elsewhere=1, meeting=Meeting(patience_s=1.5), announce=printed.append
    )
    with pytest.raises(TrafficFailed, match="1 workers of other machines"):
        generator.start()
    assert printed[0].startswith("python -m traffic.worker --master 127.0.0.1:")
    assert not [pid for pid in generator.pids if psutil.pid_exists(pid)]


def test_a_token_is_a_word_on_any_command_line() -> None:
    """None looks like an option: one in 64 of another alphabet would, and no worker could join."""
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(token.isalnum() for token in tokens)


@pytest.mark.parametrize("more", [{"workers": -1}, {"workers_elsewhere": -2}])
def test_a_number_of_workers_below_zero_is_refused(stage: Stage, more: dict[str, Any]) -> None:
    """The sentence names the setting."""
    with pytest.raises(UnusableInput, match=next(iter(more))):
        stage.generator(Load(), **more)


def test_an_address_that_is_not_this_machines_is_refused(stage: Stage) -> None:
    """A meeting at another's address is one sentence, and no process is started."""
    generator = stage.generator(Load(), workers_elsewhere=1, meeting=Meeting(host="192.0.2.1"))
    with pytest.raises(UnusableInput, match=r"cannot wait for workers on 192\.0\.2\.1"):
        generator.start()
    assert generator.pids == ()


def test_a_killed_harness_takes_every_process_with_it(stage: Stage) -> None:
    """Master and workers end by themselves when the harness that records them is gone; the spool is readable."""
    directory = Path(stage.layout.work_dir) / "traffic"
    program = (
        "import pathlib, time, threading\n"
        "from traffic.load import Load, Service\n"
        "from traffic.runner import LoadGenerator\n"
        f"g = LoadGenerator(Load(), Service(dns_host={stage.layout.dns.host!r}, dns_port={stage.layout.dns.port}),"
        f" t0_ns=time.monotonic_ns(), directory=pathlib.Path({str(directory)!r}), environment={{}}, workers=2)\n"
        "g.start()\n"
        "print(*g.pids, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in harness.stdout.readline().split()]
        assert len(processes) == 3
        wait_until(lambda: len(stage.east.seen) >= 100, what="load", timeout_s=5)
        harness.kill()
    wait_until(lambda: not any(p.is_running() for p in processes), what="Locust to end by itself", timeout_s=2)
    assert read_spool(directory / "traffic.spool").count >= 50


def test_a_common_stop_leaves_no_ragged_end(stage: Stage) -> None:
    """At a rate at which workers are milliseconds apart, all stop before the same arrival."""
    load = Load(orders_per_s=600, reads_per_s=0)
    with running(stage, load, workers=3) as generator:
        await_ops(generator, 300)
    assert generator.failure is None
    ops = generator.ops()
    assert_whole(load, ops)
    sent = ops.filter(op="write").with_columns(worker=(pl.col("key") - load.first_key) % 3)
    last = [int(n) for n in sent.group_by("worker").agg(pl.col("key").max())["key"]]
    assert max(last) - min(last) == 2
