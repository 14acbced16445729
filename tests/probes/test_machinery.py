"""A part of the target that dies unasked is marked by name; a target without such parts is never doubted."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from infra_fixtures.targets.world import Death, World
from probes.machinery import HarnessBroken, MachineryAlive, refuse_broken
from tests.probes.conftest import Notebook, watching


@dataclass
class _Standing:
    """As much of a world as this probe asks."""

    found: list[Death] = field(default_factory=list)

    def deaths(self) -> Sequence[Death]:
        return tuple(self.found)

    def processes(self) -> Mapping[str, Sequence[int]]:
        return {}


def test_each_death_is_marked_once_with_its_part() -> None:
    """Whenever one is noticed, also at the very end: process.died, when it happened, which part, and how it ended."""
    world = _Standing()
    with watching(MachineryAlive(cast(World, world))) as notebook:
        world.found.append(Death(7, "global process", "process 5 was killed by SIGKILL"))
        first = notebook.await_said("process.died")
        world.found.append(Death(8, "watchdog", "process 6 was killed by SIGKILL"))
    assert (first.at_ns, first.subject, first.detail) == (7, "global process", "process 5 was killed by SIGKILL")
    assert [s.subject for s in notebook.said] == ["global process", "watchdog"]


def test_what_lives_is_not_doubted() -> None:
    """Nothing is marked of a world that lives, nor of one that has no parts of its own."""
    stop, notebook = threading.Event(), Notebook()
    threading.Timer(0.6, stop.set).start()
    MachineryAlive(cast(World, _Standing())).watch(notebook, stop)
    assert stop.is_set()
    MachineryAlive(cast(World, object())).watch(notebook, threading.Event())
    assert notebook.said == []


def test_nothing_is_begun_on_a_broken_target() -> None:
    """Whoever is about to rely on the target is refused with the names of what died."""
    refuse_broken(cast(World, object()))
    refuse_broken(cast(World, _Standing()))
    with pytest.raises(HarnessBroken, match="global process died: process 5 ended with exit status 1"):
        refuse_broken(cast(World, _Standing([Death(7, "global process", "process 5 ended with exit status 1")])))
