"""The load generator: which rate it holds with every op recorded, how late requests start, what an op costs in CPU.

Locust runs as in a drill (cohorts, DNS, one receipt in ten) against a small service and name server in a process of
their own. Each rate is held for some seconds after a warm-up and looked at second by second. What recording costs is
measured on the recorder alone, in batches as large as at that rate, and given as its share of Locust's CPU: with and
without it the CPU of whole runs differs by less than two equal runs do.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

from benchmarks.measuring.child_process import READY, child_process, receive
from benchmarks.measuring.cpu import cpu_s
from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.place import private_layout
from drill.history import NS, Op, Outcome
from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout, child_environment
from tests.traffic.name_server import NameServer
from tests.traffic.order_service import OrderService
from traffic.load import Load, Service
from traffic.runner import LoadGenerator

RATES = (200, 1000, 3000)
WARM_S = 1.5
SLICES = 5
SLICE_S = 1.0
ARRIVAL_S = 0.3
"""After this long the records of an op have arrived."""
FLUSHES_PER_S = 20
RECORDED_OPS = 20_000
RECORDINGS = 7


@dataclass(frozen=True, slots=True)
class SustainedRate:
    """A rate, held, by seconds: the share of what was asked that was answered OK, CPU in ms an order; and lags in ms."""

    achieved: tuple[float, ...]
    locust_ms: tuple[float, ...]
    harness_ms: tuple[float, ...]
    lag_ms: tuple[float, ...]


def measure() -> Iterator[Figure]:
    """Rate held, dispatch lag, CPU an order and the recorder's share of it, at each rate."""
    with private_layout() as layout, child_process(_service, layout):
        for rate in RATES:
            sustained = _sustain(layout, rate)
            yield Figure.of(
                f"achieved / asked at {rate:,}/s", sustained.achieved, "x", "orders answered, second by second"
            )
            p50, p99, worst = np.quantile(sustained.lag_ms, [0.5, 0.99, 1.0])
            note = f"p50 {p50:.2f}, greatest {worst:.1f}, of {len(sustained.lag_ms):,} orders"
            yield Figure(f"dispatch lag p99 at {rate:,}/s", float(p99), "ms", note)
            yield Figure.of(f"CPU an order at {rate:,}/s", sustained.locust_ms, "ms", "Locust, recording included")
            yield Figure.of(
                f"CPU an order in the harness at {rate:,}/s",
                sustained.harness_ms,
                "ms",
                "gathering records, and waiting",
            )
            recording_us = _recording_us(layout, rate)
            shares = [us / 10 / median(sustained.locust_ms) for us in recording_us]
            note = f"{median(recording_us):.2f} us an order for the recorder alone"
            yield Figure.of(f"recording's share of Locust's CPU at {rate:,}/s", shares, "%", note)


def _sustain(layout: RunLayout, rate: int) -> SustainedRate:
    """Run one rate and look at its seconds."""
    with _running(layout, rate) as generator:
        locust, harness = generator.pid or 0, 0
        edges, cpu = [time.monotonic_ns()], [(cpu_s(locust), cpu_s(harness))]
        for _ in range(SLICES):
            _let_pass(SLICE_S)
            edges.append(time.monotonic_ns())
            cpu.append((cpu_s(locust), cpu_s(harness)))
        _let_pass(ARRIVAL_S)
        ops = generator.ops().filter(pl.col("op") == "write")
    achieved, used = [], []
    for i, (from_ns, to_ns) in enumerate(itertools.pairwise(edges)):
        ended = ops.filter((pl.col("ended_ns") >= from_ns) & (pl.col("ended_ns") < to_ns))
        good = ended.filter(pl.col("outcome") == "ok").height
        if not good:
            raise Failed(f"at {rate}/s no order was answered in second {i + 1}: {ended['error'].unique().to_list()}")
        achieved.append(good / (rate * (to_ns - from_ns) / NS))
        used.append([(after - before) * 1000 / good for before, after in zip(cpu[i], cpu[i + 1], strict=True)])
    seen = ops.filter((pl.col("intended_ns") >= edges[0]) & (pl.col("intended_ns") < edges[-1]))
    lag_ms = ((seen["began_ns"] - seen["intended_ns"]) / 1e6).to_list()
    return SustainedRate(tuple(achieved), tuple(u[0] for u in used), tuple(u[1] for u in used), tuple(lag_ms))


def _recording_us(layout: RunLayout, rate: int) -> list[float]:
    """CPU of the recorder alone, in us an order, repeated."""
    path = Path(layout.work_dir) / f"recorder-{rate}"
    with child_process(_swallow, path), child_process(_record, path, max(1, rate // FLUSHES_PER_S)) as recorder:
        found: list[float] = receive(recorder, what="the recorder alone")
    return found


@contextlib.contextmanager
def _running(layout: RunLayout, rate: int) -> Iterator[LoadGenerator]:
    """The load at that rate, warmed up."""
    generator = LoadGenerator(
        Load(orders_per_s=rate, reads_per_s=0),
        Service(api_key="a-key", dns_host=layout.dns.host, dns_port=layout.dns.port),
        t0_ns=0,  # so that its times are those of time.monotonic_ns()
        directory=Path(layout.work_dir) / f"load-{rate}",
        environment=child_environment(layout),
    )
    with generator:
        _let_pass(WARM_S)
        yield generator
        if generator.failure is not None:
            raise Failed(generator.failure)


def _service(parent: Connection, layout: RunLayout) -> None:
    """Order service and name server, in a process of their own."""
    east = layout.primary
    names = NameServer(layout.dns.host, layout.dns.port, east.edge.host)
    with names, OrderService(east.edge.host, east.edge.port, east.name):
        parent.send(READY)
        threading.Event().wait()


def _swallow(parent: Connection, path: Path) -> None:
    """The harness's end of a recorder's socket: reads and forgets."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        parent.send(READY)
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 20):
                pass


def _record(parent: Connection, path: Path, batch: int) -> None:
    """Record as many orders as fit in one flush, flush, and so on; one order in ten is two ops."""
    from traffic.recorder import Recorder, connect  # brings gevent, which only this process may have

    recorder = Recorder(connect(str(path)), 0, time.monotonic_ns)
    parent.send(READY)
    found = []
    for _ in range(RECORDINGS):
        began_s = time.process_time()
        for key in range(RECORDED_OPS):
            at = time.monotonic_ns()
            recorder.op(Op("write", key, "follower", at, at, at, Outcome.OK, "us-east-1", 201))
            if key % 10 == 0:
                recorder.op(Op("put_object", key, "follower", at, at, at, Outcome.OK, "us-east-1", 201))
            if key % batch == 0:
                recorder.flush()
        recorder.flush()
        found.append((time.process_time() - began_s) * 1e6 / RECORDED_OPS)
    parent.send(found)
    threading.Event().wait()


def _let_pass(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, what="time to pass", timeout_s=seconds + 1)
