"""A drill on a scripted load, with a fault that can be seen to be injected and healed: for tests of its course."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from drill.evidence import Judgement, judge
from drill.history import History, Mark, Op, Outcome, Sample, Survivor
from drill.objective import Objectives
from drill.parts import Effect, Probe, Recorder
from drill.run import Drill, Plan

RATE = 100
OBJECTIVES = Objectives(rto_s=5, rpo_s=1, lag_p99_s=1, deadline_s=0.2, settle_s=0.3, window_s=0.3)
QUICK = Plan(baseline_s=0.5, warm_up_s=1.5, feel_s=0.7)


class Script:
    """A load of RATE writes a second, of which those due in one of `outages` (seconds since the start) fail."""

    def __init__(self, t0_ns: int, outages: list[tuple[float, float]]) -> None:
        self.t0_ns = t0_ns
        self.outages = outages
        self.began_ns: int | None = None
        self.ended_ns: int | None = None
        self.failure: str | None = None
        self.interrupted_stop = 0
        """Which call of `stop` Ctrl-C comes in, if any."""

    def start(self) -> None:
        """The load begins."""
        self.began_ns = time.monotonic_ns() - self.t0_ns

    def stop(self) -> None:
        """The load ends; only the first time counts."""
        self.interrupted_stop -= 1
        if self.interrupted_stop == 0:
            raise KeyboardInterrupt
        self.ended_ns = self.ended_ns or time.monotonic_ns() - self.t0_ns

    def fail_for(self, seconds: float) -> None:
        """Service is down from now on for so long."""
        assert self.began_ns is not None
        since_s = (time.monotonic_ns() - self.t0_ns - self.began_ns) / 1e9
        self.outages.append((since_s, since_s + seconds))

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
    """Notes the phases it is told of; where one is to be interrupted, Ctrl-C comes at its beginning."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.interrupted_at = ""

    def phase(self, name: str) -> None:
        """Keep it."""
        self.phases.append(name)
        if name == self.interrupted_at:
            raise KeyboardInterrupt

    def update(self, **figures: float | str | None) -> None:
        """Not looked at."""
        return

    def mark(self, event: str, detail: str) -> None:
        """Not looked at."""
        return


class Heartbeats:
    """A probe that sees no lag, and dies of `error`, where there is one, once service was watched for `lives_s`."""

    name = "heartbeats"

    def __init__(self, error: Exception | None = None, lives_s: float = 0.5) -> None:
        self.error = error
        self.lives_s = lives_s
        self.ended = False

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """A sample every 20 ms until told to stop."""
        dies_s = time.monotonic() + self.lives_s
        while not stop.wait(0.02):
            recorder.sample("replication_lag_s", "aurora", 0.001)
            if self.error is not None and time.monotonic() > dies_s:
                raise self.error
        self.ended = True


class World:
    """A drill on a script, with a fault that can be seen to be injected and healed."""

    def __init__(
        self, directory: Path, outages: list[tuple[float, float]], down_s: float = 0.0, probes: Sequence[Probe] = ()
    ) -> None:
        self.down_s = down_s
        self.survivors_error: Exception | None = None
        self.heal_error: Exception | None = None
        self.normal_error: Exception | None = None
        self.publish_error: Exception | None = None
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
            probes=probes,
            read_survivors=self._survivors,
            healthy_again=self._healthy_again,
            observer=self.watcher,
            publish=self._publish,
        )

    @contextlib.contextmanager
    def fault(self, error: BaseException | None = None) -> Iterator[Effect]:
        """A fault that notes both ends and lasts `down_s`; `error` strikes as soon as it is injected."""
        self.events.append("injected")
        self.traffic.fail_for(self.down_s)
        try:
            now = time.monotonic_ns()
            if error is not None:
                raise error
            yield Effect("scripted", "east", now, now)
        finally:
            self.events.append("healed")
            if self.heal_error is not None:
                raise self.heal_error

    @property
    def written(self) -> str:
        """The verdict in verdict.json, which must be, with its reasons, what judging the records again gives."""
        said = json.loads((self.directory / "verdict.json").read_bytes())
        again = judge(History.load(self.directory), self.drill.objectives)
        assert (said["verdict"], said["reasons"]) == (str(again.verdict), list(again.reasons))
        return str(said["verdict"])

    def marked(self, event: str) -> list[tuple[str, str]]:
        """Subject and detail of each mark of that event in the records."""
        return [(m.subject, m.detail) for m in History.load(self.directory).marks or () if m.event == event]

    def at_ns(self, event: str) -> int:
        """When the first of those events was marked."""
        mark = History.load(self.directory).first_mark(event)
        assert mark is not None, f"{event} was never marked"
        return mark.at_ns

    def _healthy_again(self) -> None:
        self.events.append("checked")
        if self.normal_error is not None:
            raise self.normal_error

    def _publish(self, judgement: Judgement) -> None:
        self.events.append(f"published {judgement.verdict}")
        if self.publish_error is not None:
            raise self.publish_error

    def _survivors(self, region: str) -> list[Survivor]:
        if self.survivors_error is not None:
            raise self.survivors_error
        kept = self.traffic.ops().filter(pl.col("outcome") == "ok")["key"].to_list()
        at_ns = time.monotonic_ns() - self.t0_ns
        return [Survivor("aurora", k, 1, at_ns) for k in kept]
