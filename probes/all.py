"""Every probe that a drill runs: the classes of this package that say what they need, where the world has it.

A probe is a class with `needs`, the parts without which it cannot look (infra_fixtures.targets.parts), and `watch`; it is
made of a world. A new one is a new file, and nothing here changes.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import probes
from drill.parts import Probe
from infra_fixtures.targets.world import World
from probes.cpu_wait import CpuWait, Processes, processes_of


class WorldProbe(Probe, Protocol):
    """What is looked for in the modules of this package."""

    needs: ClassVar[tuple[type, ...]]
    samples: ClassVar[tuple[tuple[str, str], ...]]
    """The metrics that it samples, each with its subject ("" of any); none where it has no such attribute."""


def probes_for(world: World, own: Processes) -> list[Probe]:
    """Those that find in this world what they need; `own` are the harness's processes, whose waiting is watched too."""
    made: dict[type, Callable[[World], Probe]] = {CpuWait: lambda _: CpuWait(lambda: {**own(), **processes_of(world)})}
    fit = [kind for kind in probe_kinds() if all(world.part(need) is not None for need in kind.needs)]
    return [made.get(kind, kind)(world) for kind in fit]


def sampled(has_part: Callable[[type], bool]) -> frozenset[tuple[str, str]]:
    """The metrics, with their subjects, that the probes sample which find what they need."""
    fit = (kind for kind in probe_kinds() if all(has_part(need) for need in kind.needs))
    return frozenset(pair for kind in fit for pair in getattr(kind, "samples", ()))


@functools.cache
def probe_kinds() -> tuple[Any, ...]:
    """The classes, in the order of their modules' names."""
    modules = [importlib.import_module(f"probes.{m.name}") for m in pkgutil.iter_modules(probes.__path__)]
    return tuple(
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and hasattr(kind, "watch") and kind is not WorldProbe
    )
