"""Do the target's own processes live? One that dies unasked takes the drill's proof with it."""

from __future__ import annotations

import threading

from drill.run import Recorder
from infra_fixtures.targets.world import Machinery, World

LOOK_EVERY_S = 0.5


class HarnessBroken(RuntimeError):
    """A process that the target stands on died unasked: no verdict can come of it. The message names it."""


class MachineryAlive:
    """Dies, which is marked probe.died and makes the drill unproven, when something of the target has died unasked."""

    name = "machinery"

    def __init__(self, world: World) -> None:
        self._world = world

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop; raises HarnessBroken."""
        while not stop.wait(LOOK_EVERY_S):
            refuse_broken(self._world)


def refuse_broken(world: World) -> None:
    """Raise HarnessBroken where something of the target has died unasked."""
    if isinstance(world, Machinery) and (what := world.broken()):
        raise HarnessBroken(what)
