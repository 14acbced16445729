"""Kinto, an application from PyPI, driven, broken, read back and judged by tests/workload/kinto.toml alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from drill.demands import stayed_at
from drill.evidence import Judgement, judge
from drill.history import History, Survivor
from drill.objective import Objectives, Verdict
from drill.run import Drill, Plan
from infra_fixtures.run_layout import RunLayout, child_environment
from infra_fixtures.targets.parts import ApiPart, HeartbeatPart, WorkloadPart
from infra_fixtures.targets.world import World
from probes.all import probes_for
from probes.steady_state import await_steady_state
from probes.survivors import read_survivors
from tests.traffic.name_server import NameServer
from tests.traffic.test_worker_lost_in_a_drill import Unwatched
from tests.workload.kinto import HERE, Kinto, standing
from traffic.contract import Contract
from traffic.contract_file import read_contract
from traffic.load import Load, Service
from traffic.load_options import LoadOptions
from traffic.runner import LoadGenerator

NAME = "kinto.example"
LIMITS = Objectives(
    rto_s=40, rpo_s=1, lost_writes=0, lag_p99_s=3, deadline_s=2.0, settle_s=3, window_s=1.0, availability=0.95
)
PLAN = Plan(baseline_s=5.0, warm_up_s=30.0, demands=stayed_at(HERE))
LOAD = LoadOptions(rate=10.0, read_share=0.2).applied(Load(cohorts={"follower": 0.8, "fresh": 0.2}))


class OnePlace:
    """A world that is nothing but the application: its contract, and where it answers."""

    target, primary, standby, pace = "attached", HERE, HERE, 1.0

    def __init__(self, kinto: Kinto, contract: Contract) -> None:
        assert contract.beat is not None
        parts = [WorkloadPart(contract), ApiPart({HERE: kinto.endpoint}), HeartbeatPart(contract.beat)]
        self._parts: dict[type, Any] = {type(part): part for part in parts}

    def part(self, kind: type) -> Any:
        """One of these, or None."""
        return self._parts.get(kind)


@pytest.fixture
def kinto(layout: RunLayout) -> Iterator[Kinto]:
    """It stands, and its collections are empty."""
    with standing(layout) as stands:
        yield stands


@pytest.fixture
def contract(kinto: Kinto, monkeypatch: pytest.MonkeyPatch) -> Contract:
    """Its description; the password is in the environment, as the description says."""
    monkeypatch.setenv("KINTO_AUTHORIZATION", kinto.authorization)
    return read_contract(Path(__file__).with_name("kinto.toml"))


def play(kinto: Kinto, contract: Contract, directory: Path, before_reading: Callable[[], None]) -> Judgement:
    """The drill: load by name through a DNS server, every probe that fits, the process killed in the middle."""
    layout, world, t0_ns = kinto.layout, cast(World, OnePlace(kinto, contract)), time.monotonic_ns()
    await_steady_state(world)
    service = Service(
        f"http://{NAME}:{kinto.address.port}",
        dns_host=layout.dns.host,
        dns_port=layout.dns.port,
        headers=contract.secrets(),
    )
    traffic = LoadGenerator(
        LOAD, service, t0_ns=t0_ns, directory=directory, environment=child_environment(layout), contract=contract
    )

    def survivors(region: str) -> Iterable[Survivor]:
        before_reading()
        return read_survivors(world, region, t0_ns)

    with NameServer(layout.dns.host, layout.dns.port, kinto.address.host):
        return Drill(
            scenario="kinto_killed",
            directory=directory,
            t0_ns=t0_ns,
            objectives=LIMITS,
            traffic=traffic,
            probes=probes_for(world, lambda: {"harness": [os.getpid()], "locust": traffic.pids}),
            read_survivors=survivors,
            healthy_again=lambda: await_steady_state(world),
            observer=Unwatched(),
            publish=lambda _judgement: None,
            primary_region=HERE,
        ).run(kinto.killed(), PLAN)


def acknowledged(directory: Path) -> list[int]:
    """The keys of the acknowledged writes, in the order of their answers."""
    ops = History.load(directory).ops
    assert ops is not None
    keys: list[int] = ops.filter(op="write", outcome="ok").sort("ended_ns")["key"].to_list()
    return keys


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_kinto_killed_and_restarted_keeps_what_it_acknowledged(
    kinto: Kinto, contract: Contract, tmp_path: Path
) -> None:
    """Down for as long as it takes to start, and every acknowledged record is in its own list, with its content: MET."""
    found = play(kinto, contract, tmp_path, lambda: None)
    figures = found.measurements
    assert found.verdict is Verdict.MET, found.sentence()
    assert 0.2 < (figures["rto_s"].value or 0) < LIMITS.rto_s
    assert figures["lost_writes"].value == 0
    assert figures["wrong_content"].value == 0
    assert figures["acked_writes"].value == len(acknowledged(tmp_path)) > 100
    survivors = History.load(tmp_path).survivors
    assert survivors is not None
    assert set(acknowledged(tmp_path)) <= set(survivors["key"])
    assert survivors.height > 100, "more than one page of the list"
    assert set(survivors["region"]) == {HERE}
    assert (figures["lag_p99_s"].value or 0) < (LIMITS.lag_p99_s or 0)


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_records_deleted_behind_its_back_are_missed_and_no_others(
    kinto: Kinto, contract: Contract, tmp_path: Path
) -> None:
    """Three acknowledged records vanish from its database before the list is read: MISSED, for just these."""
    gone: list[int] = []

    def delete() -> None:
        with kinto.database() as connection:
            rows = connection.execute("SELECT id FROM objects WHERE parent_id LIKE '%/orders' ORDER BY id").fetchall()
        keys = [int(row[0]) for row in rows]
        gone.extend([keys[5], keys[len(keys) // 2], keys[-5]])
        assert kinto.delete(gone) == 3

    with pytest.raises(AssertionError, match="lost_writes"):
        play(kinto, contract, tmp_path, delete)
    whole = History.load(tmp_path)
    found = judge(whole, LIMITS)
    assert whole.survivors is not None
    assert found.verdict is Verdict.MISSED
    assert found.measurements["lost_writes"].value == 3
    assert set(acknowledged(tmp_path)) - set(whole.survivors["key"]) == set(gone)
