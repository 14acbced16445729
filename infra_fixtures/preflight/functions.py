"""A region's function as checks read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.preflight.check import Seen, part
from infra_fixtures.targets.parts import FunctionsPart


def configuration(seen: Seen, region: str, name: str = "") -> Mapping[str, Any]:
    """The configuration of a function (empty: the one that serves users)."""
    name = name or part(seen, FunctionsPart).orders
    found: Mapping[str, Any] = seen.client("lambda", region).get_function_configuration(FunctionName=name)
    return found


def variables(seen: Seen, region: str, name: str = "") -> Mapping[str, str]:
    """Its environment."""
    found: Mapping[str, str] = configuration(seen, region, name).get("Environment", {}).get("Variables", {})
    return found
