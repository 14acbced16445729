"""Do the target's own processes live? One that dies unasked takes the drill's proof with it, and ends it soon."""

from __future__ import annotations

import threading
from typing import ClassVar

from drill.parts import Recorder
from infra_fixtures.targets.world import Machinery, World

POLL_INTERVAL_S = 0.25


class HarnessBroken(RuntimeError):
    """A process that the target stands on died unasked: no verdict can come of it. The message names it."""


class MachineryAlive:
    """Marks process.died once for each process of the target that died unasked; subject is its part, detail how."""

    name = "machinery"
    needs: ClassVar[tuple[type, ...]] = ()

    def __init__(self, world: World) -> None:
        self._world = world

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop, and once more then."""
        if not isinstance(self._world, Machinery):
            return
        told = 0
        over = False
        while not over:
            over = stop.wait(POLL_INTERVAL_S)
            deaths = self._world.deaths()
            for death in deaths[told:]:
                recorder.mark("process.died", death.process, death.how, death.at_ns)
            told = len(deaths)


def refuse_broken(world: World) -> None:
    """Raise HarnessBroken where something of the target has died unasked."""
    if isinstance(world, Machinery) and (deaths := world.deaths()):
        raise HarnessBroken("; ".join(f"{death.process} died: {death.how}" for death in deaths))
