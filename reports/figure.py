"""One measurement as judged, read back from JSON, where there is no infinity."""

from __future__ import annotations

import math
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One measurement as judged: value within [lower, upper] in `unit`; None = not known, infinity = never."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    unit: str = ""
    objective: float | None = None
    verdict: str | None = None
    because: str = ""


def read_figure(found: Any) -> Figure:
    """JSON has no infinity, and writers differ: the words and a MISSED figure without a value mean it."""
    if isinstance(found, dict):
        found = found | {k: _infinite(found.get(k)) for k in ("value", "lower", "upper", "objective")}
        if found["value"] is None and found.get("verdict") == "MISSED" and not _is_number(found["upper"]):
            found["value"] = math.inf
    return msgspec.convert(found, Figure)


def _infinite(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in {"inf", "+inf", "infinity", "infinite", "never"}:
        return math.inf
    return None if isinstance(value, float) and math.isnan(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
