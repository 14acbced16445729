"""A system held for somebody who breaks it step by step: faults by name, and what every probe sees meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from drill.history import NS
from drill.parts import Effect, Probe
from drill.unusable import UnusableInput
from gameday.options import Options
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.fault import Fault, InjectedFault
from infra_fixtures.needs import require_needs
from infra_fixtures.safety.machine_semaphore import machine_semaphore
from infra_fixtures.standing import standing
from infra_fixtures.targets import is_guarded
from infra_fixtures.targets.world import World
from probes.all import probes_for
from probes.machinery import refuse_broken
from probes.steady_state import await_steady_state

STALE_S = 2.0
"""A figure that is older says nothing of now."""


@dataclass(slots=True)
class Sightings:
    """The latest that each probe told, and the events so far with their time (time.monotonic_ns()); a probe that died."""

    figures: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    events: list[tuple[int, str, str, str]] = field(default_factory=list)
    died: str = ""

    def mark(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Note an event."""
        self.events.append((at_ns or time.monotonic_ns(), event, subject, detail))

    def sample(self, metric: str, subject: str, value: float, at_ns: int | None = None) -> None:
        """Note a gauge's value."""
        self.figures[metric, subject] = (at_ns or time.monotonic_ns(), value)

    def figure(self, metric: str, subject: str) -> float | None:
        """The latest value, or None where nothing was heard lately: that is not zero."""
        self._refuse_blind()
        at_ns, value = self.figures.get((metric, subject), (0, 0.0))
        return value if time.monotonic_ns() - at_ns <= STALE_S * NS else None

    def last(self, event: str, subject: str = "", since_ns: int = 0) -> str | None:
        """The detail of the last such event since then; None where there was none."""
        self._refuse_blind()
        found = [e for e in self.events if e[1] == event and subject in ("", e[2]) and e[0] >= since_ns]
        return found[-1][3] if found else None

    def _refuse_blind(self) -> None:
        if self.died:
            raise UnusableInput(f"the probe {self.died}, so that what it would have seen is not known")


class Stage:
    """Enter it, and the system stands steady and is watched; leave it, and every fault is healed and the system gone."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = contextlib.ExitStack()
        self._faults: dict[str, InjectedFault] = {}
        self._seen = Sightings()
        self._stop = threading.Event()
        self._broken_ns = 0
        self._world: World | None = None

    def __enter__(self) -> Stage:
        """Stand it up; raises what `standing` and `await_steady_state` raise."""
        options = self._options
        if is_guarded(options.target, options.of_target):
            raise UnusableInput(
                f"the target {options.target} is a real account, where nothing is broken that no plan says and no stop "
                "condition ends: play a scenario there, as one process activity (docs/chaos-toolkit.md)"
            )
        require_needs(options.runs_dir)
        with contextlib.ExitStack() as stack:
            stack.enter_context(machine_semaphore(lambda: None))
            world = stack.enter_context(
                standing(options.target, pace=options.pace, runs_dir=options.runs_dir, options=options.of_target)
            )
            self._world = world
            await_steady_state(world)
            stack.callback(self._heal_all)
            self._watch(stack, world)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Heal and tear down."""
        self._stack.close()

    def inject(self, name: str, kind: str, parameters: dict[str, Any]) -> Effect:
        """Let a fault of the catalogue stand under that name; raises UnusableInput, NotSupported, MissingPart."""
        if name in self._faults:
            raise UnusableInput(f"the fault {name} stands already: heal it first, or give this one another name")
        fault = fault_of(kind, parameters)
        standing_fault = InjectedFault(self._standing, fault)
        self._faults[name] = standing_fault
        self._broken_ns = time.monotonic_ns()
        return standing_fault.inject()

    def heal(self, name: str) -> None:
        """Undo it; raises UnusableInput where none of that name stands."""
        if name not in self._faults:
            raise UnusableInput(f"no fault {name} stands: there is {', '.join(self._faults) or 'none'}")
        self._faults[name].heal()
        del self._faults[name]

    def steady(self, timeout_s: float) -> None:
        """Return when all is as it should be; raises GateNotPassed."""
        refuse_broken(self._standing)
        await_steady_state(self._standing, timeout_s)

    def return_to_primary(self) -> None:
        """Give the regions their roles back."""
        with self._standing.healing():
            self._standing.return_to_primary()

    def figure(self, metric: str, subject: str) -> float | None:
        """What a gauge says now; None where that is not known."""
        return self._seen.figure(metric, subject)

    def last(self, event: str, subject: str = "") -> str | None:
        """The detail of the last such event since the last fault was injected; None where there was none."""
        return self._seen.last(event, subject, self._broken_ns)

    @property
    def _standing(self) -> World:
        if self._world is None:
            raise UnusableInput("no system stands: enter the stage first")
        return self._world

    def _heal_all(self) -> None:
        """In the reverse order; what fails here, teardown heals."""
        for name in reversed(list(self._faults)):
            self.heal(name)

    def _watch(self, stack: contextlib.ExitStack, world: World) -> None:
        probes = probes_for(world, lambda: {"harness": [os.getpid()]})
        threads = [threading.Thread(target=self._look, args=(p,), name=p.name, daemon=True) for p in probes]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(self._stop.set)

    def _look(self, probe: Probe) -> None:
        try:
            probe.watch(self._seen, self._stop)
        except Exception as e:
            self._seen.died = f"{probe.name} died: {type(e).__name__}: {e}"


def fault_of(kind: str, parameters: dict[str, Any]) -> Fault:
    """A fault of the catalogue; raises UnusableInput."""
    known = catalogue()
    if kind not in known:
        raise UnusableInput(f"there is no fault {kind}: give one of {', '.join(known)}")
    try:
        return msgspec.convert({"fault": kind, **parameters}, known[kind])
    except msgspec.ValidationError as e:
        raise UnusableInput(
            f"the fault {kind} cannot be of {parameters} ({e}): see `python -m scenarios faults`"
        ) from e
