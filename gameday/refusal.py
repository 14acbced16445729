"""A system that could not be stood up is UNPROVEN, by records like any other drill's: one mark, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drill.evidence import judge
from drill.history import History, Mark
from drill.objective import Objectives
from infra_fixtures.gate import EVERYWHERE, GateNotPassed


def record_refusal(directory: Path, objectives: Objectives, error: BaseException, context: Mapping[str, Any]) -> None:
    """Write why no drill began: the region and the gate that it did not pass, or who interrupted it."""
    History.of(marks=[_mark(error)]).save(directory)
    judge(History.load(directory), objectives).write(directory / "verdict.json", **context)


def _mark(error: BaseException) -> Mark:
    if isinstance(error, GateNotPassed):
        return Mark(0, "stand_up.refused", error.region, error.gate)
    if isinstance(error, Exception):
        return Mark(0, "stand_up.refused", EVERYWHERE, f"{type(error).__name__}: {error}")
    return Mark(0, "drill.interrupted", "standing up", type(error).__name__)
