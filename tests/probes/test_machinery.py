"""A part of the target that dies unasked ends the proof, by name; a target without such parts is never doubted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, cast

import pytest

from infra_fixtures.targets.world import World
from probes.machinery import HarnessBroken, MachineryAlive, refuse_broken


@dataclass
class _Standing:
    """As much of a world as this probe asks."""

    what: str | None = None

    def broken(self) -> str | None:
        return self.what


def test_a_death_ends_the_probe_by_name() -> None:
    """Once something died, the probe raises its sentence, which the drill marks as probe.died."""
    world = _Standing()
    probe = MachineryAlive(cast(World, world))
    timer = threading.Timer(0.2, lambda: setattr(world, "what", "LocalStack of us-east-1 (process 7) ended unasked"))
    timer.start()
    with pytest.raises(HarnessBroken, match="LocalStack of us-east-1"):
        probe.watch(cast(Any, None), threading.Event())
    timer.join()


def test_what_lives_is_not_doubted() -> None:
    """The probe ends in peace when told to stop, and a world that has no parts of its own is not asked."""
    stop = threading.Event()
    threading.Timer(0.7, stop.set).start()
    MachineryAlive(cast(World, _Standing())).watch(cast(Any, None), stop)
    assert stop.is_set()
    refuse_broken(cast(World, object()))
    with pytest.raises(HarnessBroken, match="the AWS API"):
        refuse_broken(cast(World, _Standing("the AWS API of run x does not answer")))
