"""A drill whose load is shared: its verdict is proved, and one of its workers lost makes the same drill UNPROVEN."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drill.content import of_order
from drill.demands import stayed_at
from drill.evidence import Judgement
from drill.history import History, Survivor
from drill.objective import Objectives, Verdict
from drill.parts import Effect, Recorder
from drill.run import Drill, Plan, Unproven
from tests.traffic.conftest import Stage
from traffic.load import Load, amount_of
from traffic.runner import LoadGenerator

LIMITS = Objectives(rto_s=10, rpo_s=2, deadline_s=0.5, settle_s=1.5, window_s=0.5)
PLAN = Plan(baseline_s=2.0, warm_up_s=10.0, require_impact=False, feel_s=3.0, demands=stayed_at("us-east-1"))


class Heart:
    """A probe whose heartbeats are always there."""

    name = "replication_lag"

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Twenty a second."""
        while not stop.wait(0.05):
            recorder.sample("replication_lag_s", "aurora", 0.01)


class Unwatched:
    """An observer that shows nobody anything."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment."""

    def mark(self, event: str, detail: str) -> None:
        """Something happened."""


def drill(stage: Stage, generator: LoadGenerator, directory: Path) -> Drill:
    """A drill on the stage's service, whose writes all survive."""

    def survivors(_region: str) -> list[Survivor]:
        at_ns = time.monotonic_ns() - stage.t0_ns
        keys = set(stage.east.writes())
        found = [("aurora", key) for key in keys] + [("s3", key) for key in keys if key % 10 == 0]
        return [Survivor(store, k, 1, at_ns, "us-east-1", of_order(k, amount_of(k))) for store, k in found]

    return Drill(
        scenario="shared",
        directory=directory,
        t0_ns=stage.t0_ns,
        objectives=LIMITS,
        traffic=generator,
        probes=[Heart()],
        read_survivors=survivors,
        healthy_again=lambda: None,
        observer=Unwatched(),
        publish=lambda _judgement: None,
    )


@contextlib.contextmanager
def struck(strike: Callable[[], None]) -> Iterator[Effect]:
    """A fault that hurts no client, but `strike`."""
    began_ns = time.monotonic_ns()
    strike()
    yield Effect("strike", "us-east-1", began_ns, time.monotonic_ns())


def played(stage: Stage, directory: Path, strike: Callable[[LoadGenerator], None]) -> Judgement:
    """The drill with two workers."""
    generator = stage.generator(Load(reads_per_s=0), workers=2)
    return drill(stage, generator, directory).run(struck(lambda: strike(generator)), PLAN)


@pytest.mark.slow
def test_a_drill_with_two_workers_is_proved(stage: Stage, tmp_path: Path) -> None:
    """Nothing missing: MET, and what the workers' clocks may be off is in the records and in the bracket."""
    found = played(stage, tmp_path, lambda _generator: None)
    assert found.verdict is Verdict.MET, found.sentence()
    samples = History.load(tmp_path).samples
    assert samples is not None
    workers = samples.filter(metric="clock_offset_s")["subject"].unique()
    assert sorted(workers) == ["locust-0", "locust-1"]
    widest = samples.filter(metric="clock_offset_s")["value"].max()
    upper = found.measurements["rto_s"].upper
    assert isinstance(widest, float)
    assert upper is not None
    assert upper >= widest > 0


@pytest.mark.slow
def test_a_drill_that_lost_a_worker_is_unproven(stage: Stage, tmp_path: Path) -> None:
    """The same drill with one worker killed in the middle: half the load is a hole, and the verdict says whose."""
    with pytest.raises(Unproven, match=r"traffic.*(worker|SIGKILL)"):
        played(stage, tmp_path, lambda generator: os.kill(generator.pids[2], signal.SIGKILL))


@pytest.mark.slow
def test_records_that_a_load_lost_at_its_very_end_unprove_it(stage: Stage, tmp_path: Path) -> None:
    """A worker stopped for good while the load ends never says what it had in flight: noticed although all was awaited."""

    def freeze_at_the_end(generator: LoadGenerator) -> None:
        end = generator.stop

        def stop(timeout_s: float = 10.0) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(generator.pids[2], signal.SIGSTOP)
            end(2.0)

        generator.stop = stop  # type: ignore[method-assign]

    with pytest.raises(Unproven, match="traffic"):
        played(stage, tmp_path, freeze_at_the_end)
