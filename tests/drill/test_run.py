"""The course of a drill, on a scripted load: what is broken when, and what happens whatever goes wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.history import History
from drill.objective import Verdict
from drill.parts import Effect, Recorder
from drill.run import Unproven
from tests.drill.scripted_drill import OBJECTIVES, QUICK, RATE, Heartbeats, World


def test_a_system_that_is_not_steady_is_not_broken(tmp_path: Path) -> None:
    """Where service is down under load before the fault, none is injected, and the verdict is UNPROVEN."""
    world = World(tmp_path, outages=[(0.0, 60.0)])
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), QUICK)
    assert "injected" not in world.events
    marks = History.load(tmp_path).marks or ()
    assert [m.event for m in marks if m.event.startswith(("fault", "drill.refused"))] == ["drill.refused"]


def test_a_baseline_that_fails_is_not_broken_either(tmp_path: Path) -> None:
    """Service that was steady and fails during every baseline is no steady state: nothing is injected."""
    world = World(tmp_path, outages=[(1.0, 60.0)])
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), dataclasses.replace(QUICK, baseline_s=1.0, baselines=2))
    assert "injected" not in world.events
    assert [m.event for m in History.load(tmp_path).marks or ()][-2:] == ["drill.end", "survivors.read"]


def test_a_system_that_has_failed_over_already_is_not_broken(tmp_path: Path) -> None:
    """All is well, but another region serves than in normal operation: breaking that one would prove nothing."""
    world = World(tmp_path, outages=[])
    world.drill.primary_region = "west"
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), dataclasses.replace(QUICK, baselines=2))
    assert "injected" not in world.events
    assert [m.event for m in History.load(tmp_path).marks or ()].count("baseline.unsteady") == 2


def test_a_baseline_begins_anew_once_service_is_steady(tmp_path: Path) -> None:
    """An outage in the first baseline is marked, and the fault strikes after a whole one without any."""
    world = World(tmp_path, outages=[(1.0, 1.4)], down_s=0.6, probes=[Heartbeats()])
    judgement = world.drill.run(world.fault(), dataclasses.replace(QUICK, baseline_s=1.0))
    assert judgement.verdict is Verdict.MET, judgement.sentence()
    history = History.load(tmp_path)
    unsteady, began = history.first_mark("baseline.unsteady"), history.first_mark("drill.baseline")
    assert began is not None
    if unsteady is not None:  # a slow machine may have been warmed up only after the outage
        assert unsteady.at_ns + 900_000_000 < began.at_ns


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


def test_a_felt_fault_with_all_the_proof_is_met(tmp_path: Path) -> None:
    """Down for 0.6 s, back for good, survivors whole, lag seen: MET, the RTO is the outage, nothing raised."""
    heartbeats = Heartbeats()
    world = World(tmp_path, outages=[], down_s=0.6, probes=[heartbeats])
    judgement = world.drill.run(world.fault(), QUICK)
    assert judgement.verdict is Verdict.MET, judgement.sentence()
    rto = judgement.measurements["rto_s"]
    assert rto.value == pytest.approx(0.6, abs=0.1)
    assert world.events == ["injected", "healed", "checked", "published MET"]
    assert heartbeats.ended, "probes are told when it is over"


def test_a_fault_that_outlasts_the_objective_is_missed(tmp_path: Path) -> None:
    """Service stays down: the drill does not wait for ever, heals, and raises AssertionError."""
    world = World(tmp_path, outages=[], down_s=60.0, probes=[Heartbeats()])
    world.drill.objectives = dataclasses.replace(OBJECTIVES, rto_s=1.0)
    began_s = time.monotonic()
    with pytest.raises(AssertionError, match="MISSED"):
        world.drill.run(world.fault(), QUICK)
    assert time.monotonic() - began_s < 8
    assert world.events == ["injected", "healed", "checked", "published MISSED"]


@pytest.mark.parametrize("phase", ["awaiting recovery", "reading survivors"])
def test_an_interrupt_in_the_middle_of_a_fault_heals_and_keeps_the_records(tmp_path: Path, phase: str) -> None:
    """Ctrl-C while recovery is awaited, or survivors are read: healed, nothing published, the fault is in the marks."""
    heartbeats = Heartbeats()
    world = World(tmp_path, outages=[], down_s=0.6, probes=[heartbeats])
    world.watcher.interrupted_at = phase
    with pytest.raises(KeyboardInterrupt):
        world.drill.run(world.fault(), QUICK)
    assert world.events == ["injected", "healed"]
    assert world.traffic.ended_ns is not None
    assert heartbeats.ended
    history = History.load(tmp_path)
    assert history.first_mark("fault.effective") is not None
    assert history.first_mark("fault.healed") is None
    assert history.survivors is None
    assert history.ops is not None
    assert history.ops.height > RATE
    assert history.samples is not None


def test_a_probe_that_dies_before_the_fault_prevents_it(tmp_path: Path) -> None:
    """What it should have seen will not be known: nothing is broken, and the reason names the probe."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats(ConnectionError("gone"), lives_s=0.2)])
    with pytest.raises(Unproven, match=r"heartbeats.*ConnectionError: gone"):
        world.drill.run(world.fault(), QUICK)
    assert world.events == ["published UNPROVEN"]
    assert world.marked("drill.refused") == [("system", "it was ended before its fault, so nothing was broken")]


class DiesBroken(Heartbeats):
    """Heartbeats that die of `error` a while after something was broken."""

    def __init__(self, events: list[str], error: Exception) -> None:
        super().__init__()
        self.events = events
        self.dies_of = error

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """A sample every 20 ms until the fault stands, and for 0.2 s more."""
        while "injected" not in self.events:
            recorder.sample("replication_lag_s", "aurora", 0.001)
            if stop.wait(0.02):
                return
        stop.wait(0.2)
        raise self.dies_of


def test_a_probe_that_dies_ends_the_drill_and_heals_at_once(tmp_path: Path) -> None:
    """Nothing is proved by waiting on: the fault is healed before survivors are read, and the reason names the probe."""
    world = World(tmp_path, outages=[], down_s=60.0)
    world.drill.probes = [DiesBroken(world.events, ConnectionError("gone"))]
    with pytest.raises(Unproven, match=r"heartbeats.*ConnectionError: gone"):
        world.drill.run(world.fault(), QUICK)
    died, end, healed, read = (
        world.at_ns("probe.died"),
        world.at_ns("drill.end"),
        world.at_ns("fault.healed"),
        world.at_ns("survivors.read"),
    )
    assert died <= end <= healed <= read
    assert healed - died < 5_000_000_000
    assert world.events == ["injected", "healed", "checked", "published UNPROVEN"]
    assert world.written == "UNPROVEN"


class Stops:
    """A probe that meets a stop condition once the fault stands."""

    name = "stop:file"

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """One mark."""
        while "injected" not in self.events:
            if stop.wait(0.005):
                return
        recorder.mark("stop.condition", "file", "somebody made the file STOP")


def test_a_stop_condition_ends_the_drill_and_heals_at_once(tmp_path: Path) -> None:
    """It is met while the fault stands: healed before anything else, records written, UNPROVEN naming the condition."""
    world = World(tmp_path, outages=[], down_s=60.0, probes=[Heartbeats()])
    world.drill.probes = [*world.drill.probes, Stops(world.events)]
    with pytest.raises(Unproven, match="a stop condition ended the drill: somebody made the file STOP"):
        world.drill.run(world.fault(), QUICK)
    assert world.at_ns("stop.condition") <= world.at_ns("fault.healed") <= world.at_ns("survivors.read")
    assert world.at_ns("fault.healed") - world.at_ns("stop.condition") < 5_000_000_000
    assert world.events == ["injected", "healed", "checked", "published UNPROVEN"]
    assert world.written == "UNPROVEN"


def test_unread_survivors_leave_it_unproven(tmp_path: Path) -> None:
    """Where what survived cannot be read, the loss is not known; the drill goes on and says why."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.survivors_error = PermissionError("no ledger")
    with pytest.raises(Unproven, match="rpo_s"):
        world.drill.run(world.fault(), QUICK)
    mark = History.load(tmp_path).first_mark("survivors.unread")
    assert mark is not None
    assert mark.detail == "PermissionError: no ledger"
    assert world.events[-1] == "published UNPROVEN"


def test_a_load_generator_that_died_leaves_it_unproven(tmp_path: Path) -> None:
    """It dies while recovery is awaited: the drill ends at once, heals, and the reason names the traffic."""
    world = World(tmp_path, outages=[], down_s=60.0, probes=[Heartbeats()])

    @contextlib.contextmanager
    def fault() -> Iterator[Effect]:
        with world.fault() as effect:
            world.traffic.failure = "Locust was killed by SIGKILL"
            yield effect

    began_s = time.monotonic()
    with pytest.raises((Unproven, AssertionError)) as said:
        world.drill.run(fault(), QUICK)
    assert time.monotonic() - began_s < 5
    assert "Locust was killed by SIGKILL" in str(said.value)
    assert world.events[:3] == ["injected", "healed", "checked"]


def test_another_verdict_than_the_plan_expects_fails(tmp_path: Path) -> None:
    """A drill that must come out UNPROVEN and is MET has failed; one that is UNPROVEN as expected has not."""
    world = World(tmp_path / "met", outages=[], down_s=0.6, probes=[Heartbeats()])
    with pytest.raises(AssertionError, match="UNPROVEN was to come out, but it is MET"):
        world.drill.run(world.fault(), dataclasses.replace(QUICK, expect=Verdict.UNPROVEN))
    world = World(tmp_path / "unproven", outages=[])
    judgement = world.drill.run(world.fault(), dataclasses.replace(QUICK, expect=Verdict.UNPROVEN))
    assert judgement.verdict is Verdict.UNPROVEN


def test_a_fault_that_cannot_be_injected_is_told(tmp_path: Path) -> None:
    """The API refuses the fault: what is undone is undone, and the written verdict says why nothing was proved."""
    world = World(tmp_path, outages=[], probes=[Heartbeats()])
    with pytest.raises(Unproven, match=r"could not be injected: PermissionError: no such power") as said:
        world.drill.run(world.fault(PermissionError("no such power")), QUICK)
    assert isinstance(said.value.__cause__, PermissionError)
    assert world.events == ["injected", "healed", "published UNPROVEN"]
    assert world.marked("fault.failed") == [("scripted", "PermissionError: no such power")]
    assert world.written == "UNPROVEN"


def test_a_fault_that_cannot_be_healed_is_told(tmp_path: Path) -> None:
    """All else is proved, but the undo fails: the records end with that, and no verdict is MET."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.heal_error = ConnectionError("the global process is gone")
    with pytest.raises(Unproven, match=r"east was not healed: ConnectionError: the global process is gone"):
        world.drill.run(world.fault(), QUICK)
    assert world.events == ["injected", "healed", "published UNPROVEN"]
    assert world.marked("heal.failed") == [("east", "ConnectionError: the global process is gone")]
    assert world.marked("fault.healed") == []
    assert world.written == "UNPROVEN"


def test_a_system_that_does_not_come_back_is_told(tmp_path: Path) -> None:
    """Healed, but normal operation does not return: marked, and the verdict says which gate was not passed."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.normal_error = TimeoutError("west: /health/deep did not answer 200 within 60 s")
    with pytest.raises(Unproven, match=r"west: /health/deep did not answer 200"):
        world.drill.run(world.fault(), QUICK)
    assert [subject for subject, _ in world.marked("steady.failed")] == ["system"]
    assert world.marked("steady.after") == []
    assert world.written == "UNPROVEN"


@pytest.mark.parametrize(
    "phase", ["baseline", "breaking", "awaiting recovery", "reading survivors", "healing", "publishing"]
)
def test_an_interrupt_in_any_phase_leaves_a_verdict(tmp_path: Path, phase: str) -> None:
    """Ctrl-C at the beginning of each phase: the interrupt goes on, the records and the verdict that they give are there."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.watcher.interrupted_at = phase
    with pytest.raises(KeyboardInterrupt):
        world.drill.run(world.fault(), QUICK)
    assert world.events.count("injected") == world.events.count("healed")
    assert world.traffic.ended_ns is not None
    if phase == "publishing":  # all was proved by then, and was written
        assert world.written == "MET"
        return
    assert world.written == "UNPROVEN"
    assert world.marked("drill.interrupted") == [(phase, "KeyboardInterrupt")]


def test_an_interrupt_while_the_records_are_written_waits_for_them(tmp_path: Path) -> None:
    """Ctrl-C when the load is ended for the last time: the records are whole and say so, then the interrupt goes on."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.traffic.interrupted_stop = 2
    with pytest.raises(KeyboardInterrupt):
        world.drill.run(world.fault(), QUICK)
    assert world.marked("drill.interrupted") == [("writing the records", "KeyboardInterrupt")]
    assert world.written == "UNPROVEN"


def test_a_report_that_cannot_be_published_fails_after_the_verdict(tmp_path: Path) -> None:
    """The chart cannot be drawn: the error is raised, and the verdict is on disk, as proved as it was."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])
    world.publish_error = OSError("no space left")
    with pytest.raises(OSError, match="no space left"):
        world.drill.run(world.fault(), QUICK)
    assert world.written == "MET"


def test_an_error_is_never_the_verdict_that_was_expected(tmp_path: Path) -> None:
    """A drill that must come out UNPROVEN and broke down has not come out as it must."""
    world = World(tmp_path, outages=[])
    with pytest.raises(PermissionError, match="no such power"):
        world.drill.run(
            world.fault(PermissionError("no such power")), dataclasses.replace(QUICK, expect=Verdict.UNPROVEN)
        )
    assert world.written == "UNPROVEN"


class Deaths:
    """A probe that marks the death of a process a while after the drill began."""

    name = "machinery"

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """One mark."""
        if not stop.wait(self.after_s):
            recorder.mark("process.died", "global process", "process 7 was killed by SIGKILL")


@pytest.mark.parametrize("after_s", [0.2, 2.5], ids=["before the fault", "while recovery is awaited"])
def test_a_process_that_died_ends_the_wait(tmp_path: Path, after_s: float) -> None:
    """Nothing is proved by waiting on: the drill ends soon, heals what it broke, and writes its verdict."""
    world = World(tmp_path, outages=[], down_s=60.0, probes=[Heartbeats(), Deaths(after_s)])
    began_s = time.monotonic()
    with pytest.raises(Unproven):
        world.drill.run(world.fault(), QUICK)
    assert time.monotonic() - began_s < after_s + 2
    assert world.events.count("injected") == world.events.count("healed") == (1 if after_s > 1 else 0)
    assert len(world.marked("process.died")) == 1
    assert world.written == "UNPROVEN"


def test_a_load_that_cannot_be_stopped_leaves_a_verdict(tmp_path: Path) -> None:
    """What was recorded is written and judged, and the mark says what went wrong."""
    world = World(tmp_path, outages=[], down_s=0.6, probes=[Heartbeats()])

    def stop() -> None:
        raise OSError("the socket is gone")

    world.traffic.stop = stop  # type: ignore[method-assign]
    with pytest.raises((Unproven, OSError)):
        world.drill.run(world.fault(), QUICK)
    assert world.written == "UNPROVEN"
    assert "the socket is gone" in world.marked("observation.failed")[0][1]
