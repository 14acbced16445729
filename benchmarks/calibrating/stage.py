"""Plays scripts: the service in a process of its own, Locust with all three cohorts on it, records cut script by script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from benchmarks.calibrating.script import Script
from benchmarks.calibrating.service import Log, Scheduled, ScriptedService
from benchmarks.calibrating.truth import ORDERS_PER_S, READS_PER_S, RECEIPT_EVERY, Truth, truth_of
from benchmarks.measuring.child_process import READY, child_process, receive
from benchmarks.measuring.figure import Failed
from drill.history import NS, SAMPLES_SCHEMA, History, Mark, Survivor
from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout, child_environment
from tests.traffic.name_server import NameServer
from traffic.load import FOLLOWER, FRESH, STICKY, Load, Service
from traffic.runner import LoadGenerator

WARM_S = 2.5
"""Before the first script: reads ask only for orders acknowledged two seconds ago."""
PATIENCE_S = 0.8
ARRIVAL_S = 0.3
LAG_S = 0.02
BEAT_S = 0.05


def play(layout: RunLayout, scripts: Sequence[Script], seed: int) -> Iterator[tuple[History, Truth]]:
    """Play the scripts one after the other under one load; raises Failed where the load died."""
    load = Load(
        orders_per_s=ORDERS_PER_S,
        reads_per_s=READS_PER_S,
        receipt_every=RECEIPT_EVERY,
        cohorts={FOLLOWER: 0.6, FRESH: 0.2, STICKY: 0.2},
        request_timeout_s=PATIENCE_S,
        seed=seed,
    )
    generator = LoadGenerator(
        load,
        Service(api_key="a-key", dns_host=layout.dns.host, dns_port=layout.dns.port),
        t0_ns=0,  # so that its times are those of time.monotonic_ns()
        directory=Path(layout.work_dir) / "calibration",
        environment=child_environment(layout),
    )
    with child_process(_serve, layout, seed) as service:
        with generator:
            schedule = _schedule(scripts, time.monotonic_ns() + round(WARM_S * NS))
            service.send(schedule)
            _let_pass_until(schedule[-1].at_ns(scripts[-1].lasts_s + ARRIVAL_S))
            if generator.failure is not None:
                raise Failed(generator.failure)
        service.send("log")
        log = receive(service, what="the scripted service")
        assert isinstance(log, Log)
    ops = generator.ops()
    for number, scheduled in enumerate(schedule):
        from_ns, to_ns = scheduled.start_ns, scheduled.at_ns(scheduled.script.observed_s)
        own = ops.filter((pl.col("intended_ns") >= from_ns) & (pl.col("intended_ns") <= to_ns))
        keys = own.filter(pl.col("op") == "write")["key"].to_list()
        truth = truth_of(number, scheduled, log, set(keys))
        yield _history(own, truth), truth


def _schedule(scripts: Sequence[Script], start_ns: int) -> list[Scheduled]:
    found = []
    for script in scripts:
        found.append(Scheduled(script, start_ns))
        start_ns = found[-1].at_ns(script.lasts_s)
    return found


def _history(ops: pl.DataFrame, truth: Truth) -> History:
    """The records as a drill would have them: what survives is what the truth says."""
    start_ns = truth.scheduled.start_ns
    times = [pl.col(c) - start_ns for c in ("intended_ns", "began_ns", "ended_ns")]
    end_ns = round(truth.scheduled.script.observed_s * NS)
    fault = [at - start_ns for at in truth.fault]
    kept = [("aurora", k) for k in truth.rows] + [("s3", k) for k in truth.objects]
    survivors = [Survivor(store, key, 1, end_ns + 10 * NS) for store, key in sorted(kept)]
    beats = range(0, fault[0], round(BEAT_S * NS))
    return History(
        ops=ops.with_columns(times),
        marks=(
            Mark(0, "drill.baseline", "calibration"),
            Mark(fault[0], "fault.begin", "us-east-1", truth.scheduled.script.name),
            Mark(fault[1], "fault.effective", "us-east-1", truth.scheduled.script.name),
            Mark(end_ns, "drill.end", "calibration"),
        ),
        samples=pl.DataFrame([(b, "replication_lag_s", "aurora", LAG_S) for b in beats], SAMPLES_SCHEMA, orient="row"),
        survivors=History.of(survivors=survivors).survivors,
    )


def _let_pass_until(at_ns: int) -> None:
    left_s = (at_ns - time.monotonic_ns()) / NS
    wait_until(lambda: time.monotonic_ns() >= at_ns, what="the scripts to end", timeout_s=left_s + 5)


def _serve(parent: Connection, layout: RunLayout, seed: int) -> None:
    """The service's process: ready, told the schedule, asked for its log."""
    hosts = [(r.name, r.edge.host) for r in (layout.primary, layout.standby)]
    with NameServer(layout.dns.host, layout.dns.port, hosts[0][1], ttl=1) as names:
        asyncio.run(_served(parent, ScriptedService(hosts, layout.primary.edge.port, names, seed)))


async def _served(parent: Connection, service: ScriptedService) -> None:
    loop = asyncio.get_running_loop()
    async with service.listening():
        parent.send(READY)
        playing = asyncio.create_task(service.play(await loop.run_in_executor(None, parent.recv)))
        await loop.run_in_executor(None, parent.recv)
        await playing
        parent.send(service.log())
        await asyncio.Event().wait()
