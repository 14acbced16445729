"""Which scenarios there are, by the files that hold them, so that objectives for one that is not there can be refused."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from drill.objective import nearest, refuse_unknown_names, unparametrised
from drill.unusable import UnusableInput
from gameday.repeating import scenario_of


def scenario_names(directory: Path) -> set[str]:
    """The name of every scenario in the test files below `directory`, without parameters; nothing is imported."""
    found: set[str] = set()
    for path in directory.rglob("test_*.py"):
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:
            continue  # pytest says so when it collects the file
        functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        found |= {name.removeprefix("test_") for name in functions if name.startswith("test_")}
    return found


def refuse_unknown(
    tables: Mapping[str, Any], *, targets: Collection[str], scenarios: Collection[str], source: str
) -> None:
    """Raise UnusableInput for an objectives table of a target or scenario that is not there, with the nearest name."""
    refuse_unknown_names(tables, "target", targets, source=source)
    refuse_unknown_names(tables, "scenario", scenarios, source=source)


def refuse_unknown_parameters(tables: Mapping[str, Any], items: Iterable[pytest.Item], *, source: str) -> None:
    """The same for [scenario.'NAME[parameters]'] of those scenarios that were collected; only then are they known."""
    known = {scenario_of(item, repetition_of(item)) for item in items}
    of_collected = {unparametrised(name) for name in known}
    for name in tables.get("scenario", {}):
        if unparametrised(name) in of_collected and "[" in name and name not in known:
            raise UnusableInput(f"{source}: there is no scenario {name}; {nearest(name, known)}")


def repetition_of(item: pytest.Item) -> int:
    """Which run of its scenario a test is, from 1."""
    specification = getattr(item, "callspec", None)
    return int(specification.params.get("repetition", 1)) if specification else 1
