"""Open loop: requests start when they are due, however the service behaves, and lateness is visible."""

from __future__ import annotations

import os
import signal

import polars as pl
import pytest

from drill.content import of_order
from drill.history import NS
from drill.measure.unrecorded import schedules, unrecorded
from tests.traffic.conftest import Stage, await_ops
from traffic.load import Load, RampPoint, amount_of


def test_a_frozen_service_is_asked_as_often_as_a_healthy_one(stage: Stage) -> None:
    """No coordinated omission: every order that was due during the freeze started on time and timed out by itself."""
    load = Load(reads_per_s=0, request_timeout_s=0.7)
    with stage.generator(load) as generator:
        await_ops(generator, 40)
        stage.east.mode = "frozen"
        frozen_at = stage.now_ns()
        stage.let_pass(1.5)
        thawed_at = stage.now_ns()
        stage.east.mode = "ok"
        await_ops(generator, 1, pl.col("began_ns") > thawed_at, pl.col("outcome") == "ok")
    writes = generator.ops().filter(op="write").sort("intended_ns")
    gaps = writes["intended_ns"].diff().drop_nulls()
    assert gaps.min() >= NS // 200 - 1  # type: ignore[operator]
    assert gaps.max() <= NS // 200 + 1  # type: ignore[operator]
    within = writes.filter(pl.col("began_ns").is_between(frozen_at + NS // 10, thawed_at - NS // 10))
    assert within.height >= 255
    assert set(within["outcome"]) == {"unknown"}
    assert set(within["error"]) == {"timeout"}
    took = within.select((pl.col("ended_ns") - pl.col("began_ns")) / NS).to_series()
    assert 0.69 < took.min() <= took.max() < 1.2  # type: ignore[operator]
    assert within.select((pl.col("began_ns") - pl.col("intended_ns")).max()).item() < NS // 4


def test_a_generator_that_falls_behind_is_visible(stage: Stage) -> None:
    """A Locust that does not run for a second shows that second, while it lasts and afterwards."""
    with stage.generator(Load(reads_per_s=0)) as generator:
        await_ops(generator, 40)
        assert max(s.value for s in generator.samples()) < 0.5
        assert generator.pid is not None
        os.kill(generator.pid, signal.SIGSTOP)
        stage.let_pass(1.3)
        meanwhile = [s.value for s in generator.samples() if s.subject == "collector"]
        os.kill(generator.pid, signal.SIGCONT)
        resumed = stage.now_ns()
        await_ops(generator, 40, pl.col("intended_ns") > resumed)
    lags = [s.value for s in generator.samples() if s.metric == "dispatch_lag_s" and s.subject != "collector"]
    assert meanwhile
    assert max(meanwhile) >= 1.0
    assert max(lags) >= 1.0
    late = generator.ops().select((pl.col("began_ns") - pl.col("intended_ns")).max()).item()
    assert late >= NS


def test_more_than_the_client_can_carry_is_recorded_not_dropped(stage: Stage) -> None:
    """Beyond the most requests in flight nothing is sent, and each such order is recorded as surely not done."""
    stage.east.mode = "frozen"
    load = Load(orders_per_s=6000, reads_per_s=0, receipt_every=0, cohorts={"follower": 1.0}, request_timeout_s=30)
    with stage.generator(load) as generator:
        await_ops(generator, 200, pl.col("error") == "client_overload")
        generator.stop(3)
    writes = generator.ops().filter(op="write")
    over = writes.filter(error="client_overload")
    assert set(over["outcome"]) == {"fail"}
    assert not set(over["key"]) & set(stage.east.writes())
    assert sorted(writes["key"]) == list(range(load.first_key, load.first_key + writes.height))


def test_every_write_names_its_store_and_its_content(stage: Stage) -> None:
    """An order goes to aurora and its receipt to s3, answered or not; both carry the order, a read carries nothing."""
    with stage.generator(Load(reads_per_s=100)) as generator:
        await_ops(generator, 20, pl.col("op") == "read")
        stage.east.mode = "reset"
        await_ops(generator, 20, pl.col("op") == "put_object", pl.col("outcome") == "unknown")
    ops = generator.ops()
    assert set(ops.select("op", "store").unique().rows()) == {
        ("write", "aurora"),
        ("put_object", "s3"),
        ("read", None),
    }
    sent = ops.filter(pl.col("op") != "read")
    assert sent["content"].to_list() == [of_order(key, amount_of(key)) for key in sent["key"]]
    assert ops.filter(op="read")["content"].null_count() == ops.filter(op="read").height


def test_an_answer_that_shows_another_amount_is_recorded(stage: Stage) -> None:
    """The order is acknowledged, and its error says that what is stored is not what was sent."""
    stage.east.mode = "altered"
    with stage.generator(Load(reads_per_s=0)) as generator:
        await_ops(generator, 20)
    writes = generator.ops().filter(op="write", outcome="ok")
    assert writes.height >= 18
    assert set(writes["error"]) == {"wrong_content"}
    assert writes["content"].to_list() == [of_order(key, amount_of(key)) for key in writes["key"]]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_ramp_is_sent_as_it_is_told(stage: Stage, workers: int) -> None:
    """Every request is recorded at the time that the marks of the schedule give it, whoever sends it."""
    load = Load(ramp=(RampPoint(20, 0), RampPoint(300, 2), RampPoint(200, 2)), reads_per_s=50)
    with stage.generator(load, workers=workers) as generator:
        ops = await_ops(generator, 500, pl.col("op") == "write")
    ops = generator.ops()
    told = {s.op: s for s in schedules(generator.marks())}
    assert set(told) == {"write", "put_object", "read"}
    began, last = told["write"].begin_ns, int(ops.filter(op="write")["intended_ns"].max())  # type: ignore[arg-type]
    for kind in ("write", "put_object"):
        assert unrecorded(ops, told[kind], began, last).size == 0
    counts = [
        ops.filter(
            pl.col("op") == "write", pl.col("intended_ns").is_between(began + a * NS, began + (a + 1) * NS)
        ).height
        for a in range(2)
    ]
    assert counts == [pytest.approx(90, abs=1), pytest.approx(230, abs=1)]
