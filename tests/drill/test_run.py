"""The course of a drill, on a scripted load: what is broken when, and what happens whatever goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from drill.history import History, Mark, Op, Outcome, Sample, Survivor
from drill.objective import Objectives
from drill.run import Drill, Effect, Plan, Unproven

RATE = 100
OBJECTIVES = Objectives(rto_s=5, rpo_s=1, lag_p99_s=1, deadline_s=0.2, settle_s=0.5, window_s=0.3)
QUICK = Plan(baseline_s=1.0, warm_up_s=1.5, feel_s=1.0)


class Script:
    """A load of RATE writes a second, of which those due in one of `outages` (seconds since the start) fail."""

    def __init__(self, t0_ns: int, outages: list[tuple[float, float]]) -> None:
        self.t0_ns = t0_ns
        self.outages = outages
        self.began_ns: int | None = None
        self.ended_ns: int | None = None
        self.failure: str | None = None

    def start(self) -> None:
        """The load begins."""
        self.began_ns = time.monotonic_ns() - self.t0_ns

    def stop(self) -> None:
        """The load ends; only the first time counts."""
        self.ended_ns = self.ended_ns or time.monotonic_ns() - self.t0_ns

    def ops(self) -> pl.DataFrame:
        """Every op that is due by now."""
        if self.began_ns is None:
            return History.of(ops=[]).ops  # type: ignore[return-value]
        until = self.ended_ns or time.monotonic_ns() - self.t0_ns
        count = (until - self.began_ns) * RATE // 1_000_000_000
        ops = History.of(ops=[self._op(k) for k in range(count)]).ops
        assert ops is not None
        return ops

    def samples(self) -> Sequence[Sample]:
        """None."""
        return ()

    def marks(self) -> Sequence[Mark]:
        """None."""
        return ()

    def _op(self, k: int) -> Op:
        assert self.began_ns is not None
        at_ns = self.began_ns + k * 1_000_000_000 // RATE
        since_s = k / RATE
        down = any(a <= since_s < b for a, b in self.outages)
        outcome = Outcome.FAIL if down else Outcome.OK
        return Op("write", k, "follower", at_ns, at_ns, at_ns + 1_000_000, outcome, None if down else "east", 201, None)


class Watcher:
    """Notes the phases it is told of."""

    def __init__(self) -> None:
        self.phases: list[str] = []

    def phase(self, name: str) -> None:
        """Keep it."""
        self.phases.append(name)

    def update(self, **figures: float | str | None) -> None:
        """Not looked at."""
        return

    def mark(self, event: str, detail: str) -> None:
        """Not looked at."""
        return


class World:
    """A drill on a script, with a fault that can be seen to be injected and healed."""

    def __init__(self, directory: Path, outages: list[tuple[float, float]]) -> None:
        self.t0_ns = time.monotonic_ns()
        self.traffic = Script(self.t0_ns, outages)
        self.watcher = Watcher()
        self.events: list[str] = []
        self.directory = directory
        self.drill = Drill(
            scenario="scripted",
            directory=directory,
            t0_ns=self.t0_ns,
            objectives=OBJECTIVES,
            traffic=self.traffic,
            probes=(),
            read_survivors=self._survivors,
            healthy_again=lambda: self.events.append("checked"),
            observer=self.watcher,
            publish=lambda judgement: self.events.append(f"published {judgement.verdict}"),
        )

    @contextlib.contextmanager
    def fault(self, error: BaseException | None = None) -> Iterator[Effect]:
        """A fault that notes both ends; `error` strikes as soon as it is injected."""
        self.events.append("injected")
        try:
            now = time.monotonic_ns()
            if error is not None:
                raise error
            yield Effect("scripted", "east", now, now)
        finally:
            self.events.append("healed")

    def _survivors(self, region: str) -> list[Survivor]:
        kept = self.traffic.ops().filter(pl.col("outcome") == "ok")["key"].to_list()
        return [Survivor("aurora", k, 1, 0) for k in kept]


def test_a_system_that_is_not_steady_is_not_broken(tmp_path: Path) -> None:
    """Where service is down under load before the fault, none is injected, and the verdict is UNPROVEN."""
    world = World(tmp_path, outages=[(0.0, 60.0)])
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), QUICK)
    assert "injected" not in world.events
    marks = History.load(tmp_path).marks or ()
    assert [m.event for m in marks if m.event.startswith(("fault", "drill.refused"))] == ["drill.refused"]


def test_a_baseline_that_fails_is_not_broken_either(tmp_path: Path) -> None:
    """Service that was steady and fails during the baseline is no steady state: nothing is injected."""
    world = World(tmp_path, outages=[(1.2, 60.0)])
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), QUICK)
    assert "injected" not in world.events


def test_a_steady_system_is_broken_watched_and_healed_in_order(tmp_path: Path) -> None:
    """The course: inject, heal, check, publish; what nobody felt is UNPROVEN, and the records are written."""
    world = World(tmp_path, outages=[])
    with pytest.raises(Unproven, match="felt"):
        world.drill.run(world.fault(), QUICK)
    assert world.events == ["injected", "healed", "checked", "published UNPROVEN"]
    assert world.watcher.phases == [
        "baseline",
        "breaking",
        "awaiting recovery",
        "reading survivors",
        "healing",
        "publishing",
    ]
    history = History.load(tmp_path)
    assert history.ops is not None
    assert history.ops.height > RATE
    assert history.survivors is not None
    assert history.first_mark("fault.healed") is not None


def test_an_interrupt_heals_and_keeps_the_records(tmp_path: Path) -> None:
    """Ctrl-C while the fault is injected: healed, load stopped, what was recorded so far is readable."""
    world = World(tmp_path, outages=[])
    with pytest.raises(KeyboardInterrupt):
        world.drill.run(world.fault(KeyboardInterrupt()), QUICK)
    assert world.events == ["injected", "healed"]
    assert world.traffic.ended_ns is not None
    ops = History.load(tmp_path).ops
    assert ops is not None
    assert ops.height > 0
