"""One drill: baseline -> break -> await recovery -> read survivors -> heal -> judge -> publish.

The drill knows no AWS, no Locust and no pytest: what it drives are the small protocols below.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill import demands
from drill.baseline import Baseline
from drill.demands import Demand
from drill.evidence import Judgement, judge
from drill.expectation import MARK as EXPECTED
from drill.expectation import Expectation
from drill.history import NS, History, Mark, Sample, Survivor
from drill.measure import Recovery, recovery
from drill.measure.observed import EVENT as OBSERVES
from drill.measure.serving import serving_region
from drill.measure.unrecorded import schedules
from drill.objective import Objectives, Verdict
from drill.parts import Effect, Observer, Probe, Traffic

POLL_INTERVAL_S = 0.25
MARGIN = 1.25
"""How much longer than the RTO limit recovery is awaited: beyond it the objective is missed whatever happens."""


ENDING = frozenset({"process.died", "probe.died", "stop.condition"})
"""Marks that end the drill as soon as they are made, and have the fault healed first: whatever comes now proves nothing."""


class Unproven(Exception):
    """The drill could not prove its objectives; the message says why. (In Allure: broken.)"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the drill watches, in seconds, and whether the fault must be felt by clients for the drill to count."""

    baseline_s: float = 5.0
    baselines: int = 3
    """How often the baseline is begun anew before a system that is not steady is left unbroken; each is marked."""
    warm_up_s: float = 20.0
    """How long service may take to become steady under load before the baseline begins."""
    require_impact: bool = True
    demands: tuple[Demand, ...] = ()
    """What must have happened for the drill to prove anything; of a fault that need not have an impact, by default any
    failover."""
    feel_s: float = 6.0
    """How long to wait for the fault to be felt before concluding that it was not."""
    observe_s: float | None = None
    """Nothing is broken: outages that others cause are watched for so long, or until `Drill.enough` is set."""
    expect: Verdict = Verdict.MET
    """What must come out: a drill that checks the harness itself expects UNPROVEN, and fails if it passes."""
    expect_because: str = ""
    """Words that all its doubts must then have: UNPROVEN for another reason is not what was to come out."""

    @property
    def expectation(self) -> Expectation:
        """Both, as they are recorded."""
        return Expectation(self.expect, self.expect_because)


@dataclass(slots=True)
class Drill:
    """A drill of one scenario. `read_survivors` is given the region that serves when the drill ends."""

    scenario: str
    directory: Path
    t0_ns: int
    objectives: Objectives
    traffic: Traffic
    probes: Sequence[Probe]
    read_survivors: Callable[[str], Iterable[Survivor]]
    healthy_again: Callable[[], None]
    observer: Observer
    publish: Callable[[Judgement], None]
    """Called with the judgement once the records are written, whatever the verdict."""
    primary_region: str = ""
    """The region that serves in normal operation; a system that has failed over already is not steady."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What the verdict is labelled with: target, pace, where the objectives are from."""
    enough: threading.Event = field(default_factory=threading.Event)
    """Ends an observation in good order."""
    _marks: list[Mark] = field(default_factory=list)
    _samples: list[Sample] = field(default_factory=list)
    _survivors: list[Survivor] | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    """Tells the probes to end."""
    _ended: threading.Event = field(default_factory=threading.Event)
    """Set by the first of the ENDING marks."""
    _traffic_died: bool = False
    _current: str = "baseline"
    """The phase it is in."""

    @property
    def ended(self) -> threading.Event:
        """Set once nothing more is to be broken: something died, or a stop condition was met."""
        return self._ended

    def run(self, fault: AbstractContextManager[Effect], plan: Plan | None = None) -> Judgement:
        """Run the drill and return its judgement.

        Raises AssertionError when MISSED and Unproven when UNPROVEN, unless the plan expects just that; then anything
        else is an AssertionError.

        Whatever ends it (an error or an interrupt too), the fault is healed, and the records so far and their verdict are
        written; marks say what ended it.
        """
        plan = plan or Plan()
        error: Exception | None = None
        try:
            with self._watching():
                self._play(fault, plan)
        except Exception as e:
            error = e
        except BaseException as e:
            self._note_interrupt(e)
            raise
        finally:
            judgement = self._file(plan)
        return self._conclude(judgement, plan, error)

    def _play(self, fault: AbstractContextManager[Effect], plan: Plan) -> None:
        with self._marking("baseline.failed", "system"):
            steady = self._baseline(plan)
        if steady and not self._ended.is_set():
            if plan.observe_s is None:
                self._break(fault, plan)
            else:
                self._observe(plan.observe_s)
            return
        why = "it was ended before its fault" if self._ended.is_set() else "not steady under load"
        self.mark("drill.refused", "system", f"{why}, so nothing was broken")
        self._end_observation()
        self._collect()

    def _observe(self, for_s: float) -> None:
        """Watch for so long, or until it is enough, and break nothing."""
        self._phase("observing")
        self.mark(OBSERVES, "system", f"for {for_s:g} s, nothing is broken")
        ends_s = time.monotonic() + for_s
        with self._marking("observation.failed", "system"):
            while time.monotonic() < ends_s and not self.enough.is_set() and not self._check_failures():
                self._ended.wait(POLL_INTERVAL_S)
                self._show(None)
        self._end_observation()
        self._collect()

    def _break(self, fault: AbstractContextManager[Effect], plan: Plan) -> None:
        self._phase("breaking")
        with self._standing(fault) as effect:
            with self._marking("observation.failed", "system"):
                self._note_effect(effect)
                self._await_recovery(effect, plan)
            self._end_observation()
            ended_early = self._ended.is_set()
            if not ended_early:
                self._collect()
        self.mark("fault.healed", effect.subject, effect.fault)
        if ended_early:  # survivors can wait, healing could not
            self._collect()
        with self._marking("steady.failed", "system"):
            self.healthy_again()
        self.mark("steady.after", "system", "serves as before")

    @contextlib.contextmanager
    def _standing(self, fault: AbstractContextManager[Effect]) -> Iterator[Effect]:
        """The fault stands for as long as this lasts, and is healed whatever happens meanwhile."""
        with contextlib.ExitStack() as healing:
            with self._marking("fault.failed", self.scenario):
                effect = healing.enter_context(fault)
            try:
                yield effect
            except BaseException as e:
                self._stop.set()  # nothing more is to be seen: probes end while the fault is healed
                self._note_interrupt(e)
                raise
            finally:
                self._phase("healing")
                with self._marking("heal.failed", effect.subject):
                    healing.close()

    @contextlib.contextmanager
    def _marking(self, event: str, subject: str) -> Iterator[None]:
        """Mark the error that ends this part of the drill, where one does."""
        try:
            yield
        except Exception as e:
            self.mark(event, subject, f"{type(e).__name__}: {e}")
            raise

    def _note_interrupt(self, error: BaseException) -> None:
        """Mark the phase in which somebody ended the drill, which healing is not."""
        if not isinstance(error, Exception) and not any(m.event == "drill.interrupted" for m in list(self._marks)):
            self.mark("drill.interrupted", self._current, type(error).__name__)

    def mark(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Note an event, now or at `at_ns` (time.monotonic_ns()), and show it."""
        self._marks.append(Mark((at_ns or time.monotonic_ns()) - self.t0_ns, event, subject, detail))
        if event in ENDING:
            self._ended.set()
        self.observer.mark(event, f"{subject} {detail}".strip())

    def sample(self, metric: str, subject: str, value: float, at_ns: int | None = None) -> None:
        """Note a gauge's value, now or at `at_ns`."""
        self._samples.append(Sample((at_ns or time.monotonic_ns()) - self.t0_ns, metric, subject, value))
        if metric == "replication_lag_s":
            self.observer.update(**{f"lag_{subject}_s": value})

    def samples(self) -> Sequence[Sample]:
        """What its probes sampled so far, in the order in which they told."""
        return self._samples

    def history(self) -> History:
        """All that is known so far."""
        whole = History.of(
            marks=sorted([*self._marks, *self.traffic.marks()], key=lambda m: m.at_ns),
            samples=[*self._samples, *self.traffic.samples()],
            survivors=self._survivors,
        )
        return History(self.traffic.ops(), whole.marks, whole.samples, whole.survivors)

    def _phase(self, name: str) -> None:
        self._current = name
        self.observer.phase(name)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """Probes look for as long as this lasts."""
        threads = [threading.Thread(target=self._watch, args=(p,), name=p.name, daemon=True) for p in self.probes]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(timeout=2.0)

    def _watch(self, probe: Probe) -> None:
        try:
            probe.watch(self, self._stop)
        except Exception as e:  # any death of a probe is an absent proof
            if not self._stop.is_set():
                self.mark("probe.died", probe.name, f"{type(e).__name__}: {e}")

    def _baseline(self, plan: Plan) -> bool:
        """Observe the steady state; whether the system is well enough under load to be broken."""
        self._phase("baseline")
        self.mark("drill.expects", self.scenario, "bite" if plan.require_impact else "no-bite")
        self.mark(EXPECTED, self.scenario, str(plan.expectation))
        for demand in plan.demands:
            self.mark(demands.EVENT, demand.what, demand.region)
        self.traffic.start()
        baseline = Baseline(
            self.objectives,
            self.traffic,
            self.t0_ns,
            self.primary_region,
            mark=self.mark,
            show=lambda: self._show(None),
            has_failed=self._check_failures,
            wait=lambda: self._ended.wait(POLL_INTERVAL_S),
        )
        return baseline.is_steady(warm_up_s=plan.warm_up_s, for_s=plan.baseline_s, times=plan.baselines)

    def _note_effect(self, effect: Effect) -> None:
        for earlier in effect.earlier:
            self.mark("degraded.begin", earlier.subject, earlier.fault, earlier.began_ns)
            self.mark("degraded.effective", earlier.subject, earlier.fault, earlier.effective_ns)
        self.mark("fault.begin", effect.subject, effect.fault, effect.began_ns)
        self.mark("fault.effective", effect.subject, effect.fault, effect.effective_ns)

    def _await_recovery(self, effect: Effect, plan: Plan) -> None:
        """Watch until service has held for settle_s, was never touched, or is hopelessly late; never before the last fault
        of a schedule has come, and as long after it as after a lone one."""
        self._phase("awaiting recovery")
        fault_ns = effect.effective_ns - self.t0_ns
        limit_s = (self.objectives.rto_s or 0.0) * MARGIN + self.objectives.settle_s + self.objectives.window_s
        while True:
            self._ended.wait(POLL_INTERVAL_S)
            state = self._show(fault_ns)
            if self._check_failures():
                return
            quiet_ns = effect.quiet_since()
            if quiet_ns is None:
                continue
            since_s = (time.monotonic_ns() - max(effect.effective_ns, quiet_ns)) / NS
            held_s = min(state.held_s, since_s) if state.recovered_at_ns is not None else 0.0
            if held_s >= self.objectives.settle_s + self.objectives.window_s:
                return
            if not state.felt and since_s >= plan.feel_s:
                return
            if since_s >= limit_s:
                return

    def _end_observation(self) -> None:
        """What clients see from now on is not judged."""
        self.mark("drill.end", "traffic", "observation ends")

    def _collect(self) -> None:
        """End the load, then read what survived in the region that serves now."""
        with self._marking("observation.failed", "traffic"):
            self.traffic.stop()
            self._check_traffic()  # only at its end does a load tell that records of it are missing
            region = serving_region(self.traffic.ops())
        self._phase("reading survivors")
        if region is None:
            self.mark("survivors.unread", "system", "no write was acknowledged, so no region is known to serve")
            return
        try:
            survivors = list(self.read_survivors(region))
        except Exception as e:  # unread survivors are an absent proof, not a crash
            self.mark("survivors.unread", region, f"{type(e).__name__}: {e}")
        else:
            self._survivors = survivors
            self.mark("survivors.read", region, f"{len(survivors)} keys")

    def _show(self, fault_ns: int | None) -> Recovery:
        now_ns = time.monotonic_ns() - self.t0_ns
        state = recovery(self.traffic.ops(), self.objectives, fault_ns, now_ns, schedules(self.traffic.marks()))
        self.observer.update(
            good_share=state.share_good,
            since_fault_s=None if fault_ns is None else (now_ns - fault_ns) / NS,
        )
        return state

    def _check_failures(self) -> bool:
        """Whether the load generator died, or anything else did that ends the drill."""
        return self._check_traffic() or self._ended.is_set()

    def _check_traffic(self) -> bool:
        failure = self.traffic.failure
        if failure and not self._traffic_died:
            self._traffic_died = True
            self.mark("probe.died", "traffic", failure)
        return self._traffic_died

    def _file(self, plan: Plan) -> Judgement:
        """Write the records and their verdict; an interrupt meanwhile is obeyed once they are whole."""
        try:
            return self._write(plan)
        except BaseException as e:
            if isinstance(e, Exception):
                raise
            self.mark("drill.interrupted", "writing the records", type(e).__name__)
            self._write(plan)
            raise

    def _write(self, plan: Plan) -> Judgement:
        """What is judged is what was written, so that whoever judges it again finds the same."""
        with contextlib.suppress(Exception), self._marking("observation.failed", "traffic"):
            self.traffic.stop()
            self._check_traffic()
        self.history().save(self.directory)
        judgement = judge(History.load(self.directory), self.objectives)
        context = {"scenario": self.scenario, **self.context, "expected": str(plan.expectation)}
        judgement.write(self.directory / "verdict.json", **context)
        return judgement

    def _conclude(self, judgement: Judgement, plan: Plan, error: Exception | None) -> Judgement:
        """Publish the judgement and return it, or raise for it; `error` is what ended the drill early."""
        self._phase("publishing")
        try:
            self.publish(judgement)
        except Exception as e:
            error = error or e
        if not plan.expectation.met_by(judgement.verdict, judgement.doubts):
            raise _failure(judgement, plan.expectation) from error
        if error is not None:
            raise error
        return judgement


def _failure(judgement: Judgement, expected: Expectation) -> Exception:
    """What says that another verdict came out than was expected."""
    if expected.is_check:
        return AssertionError(f"{expected} was to come out, but it is {judgement.sentence()}")
    if judgement.verdict is Verdict.MISSED:
        return AssertionError(judgement.sentence())
    return Unproven(judgement.sentence())
