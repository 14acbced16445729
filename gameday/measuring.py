"""Probes under a guard: what they write is no fault's, and is counted for no blast radius; all else of the scope holds."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from drill.parts import Probe, Recorder
from infra_fixtures.safety.guard import Guard, Guarded
from infra_fixtures.targets.world import World


@dataclass(frozen=True, slots=True)
class Measuring:
    """A probe, in whose thread the guard knows that something is measured."""

    probe: Probe
    guard: Guard

    @property
    def name(self) -> str:
        """The probe's own."""
        return self.probe.name

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """As the probe does."""
        with self.guard.measuring():
            self.probe.watch(recorder, stop)


def measuring(world: World, probes: list[Probe]) -> list[Probe]:
    """The probes, for that world."""
    return [Measuring(probe, world.guard) for probe in probes] if isinstance(world, Guarded) else probes
