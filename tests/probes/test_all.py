"""The probes of a drill are those of the package that find what they need, and no module of it lies about unused."""

from __future__ import annotations

import ast
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import probes
from infra_fixtures.targets.parts import AlarmPart, BucketPart, DnsPart, MissingPart, part_of
from infra_fixtures.targets.world import World
from probes.all import probe_kinds, probes_for
from probes.wal_lag import WalLag
from tests.real_world import System

REPOSITORY = Path(probes.__file__).parents[1]
PACKAGES = ("drill", "infra_fixtures", "probes", "traffic", "reports", "scenarios", "gameday", "benchmarks")
MODULES = [m.name for m in pkgutil.iter_modules(probes.__path__)]


class Bare:
    """A world of a few parts."""

    target = "bare"
    primary, standby = "us-east-1", "us-west-2"

    def __init__(self, *parts: object) -> None:
        self._parts = {type(p): p for p in parts}

    def part(self, kind: type) -> Any:
        """One of them."""
        return self._parts.get(kind)

    def client(self, service: str, region: str) -> object:
        """Never asked anything."""
        return object()


def imported_by(module: str) -> Iterator[str]:
    """The files of the product, other than probes/all.py, that import a module of probes."""
    for package in PACKAGES:
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [f"{node.module}"] if isinstance(node, ast.ImportFrom) else []
                names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if f"probes.{module}" in names and path.name != "all.py":
                    yield str(path)


@pytest.mark.parametrize("module", [m for m in MODULES if m != "all"])
def test_every_module_is_a_probe_or_is_used(module: str) -> None:
    """One that no drill runs and nothing imports would be a question that nobody asks."""
    asked = any(kind.__module__ == f"probes.{module}" for kind in probe_kinds())
    assert asked or any(imported_by(module)), f"probes/{module}.py is wired nowhere"


@pytest.mark.parametrize("kind", probe_kinds())
def test_every_probe_says_what_it_needs(kind: Any) -> None:
    """As parts, with a name for its marks; no two share one."""
    assert isinstance(kind.needs, tuple)
    assert all(isinstance(need, type) and need.__name__.endswith("Part") for need in kind.needs)
    assert [k.name for k in probe_kinds()].count(kind.name) == 1


def test_the_whole_system_is_asked_every_question(system: System) -> None:
    """The embedded world has all parts but what only an attached database has, so every other probe runs."""
    assert [type(p) for p in probes_for(system.world, dict)] == [k for k in probe_kinds() if k is not WalLag]
    assert len(probe_kinds()) == 14


def test_a_probe_runs_where_its_parts_are() -> None:
    """A world of an alarm and buckets is asked for these, and whether the harness lives; nothing that it lacks."""
    world = cast(World, Bare(AlarmPart("high"), BucketPart({"us-east-1": "a", "us-west-2": "b"})))
    found = probes_for(world, lambda: {"harness": [os.getpid()]})
    assert sorted(p.name for p in found) == ["alarm", "cpu_wait", "machinery", "object_lag"]
    with pytest.raises(MissingPart, match="the target bare has no DnsPart, which this needs"):
        part_of(world, DnsPart)
