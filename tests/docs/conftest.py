"""One system for all examples; each leaves it as it was, by healing alone."""

from __future__ import annotations

from tests.real_world import shared_system, system

__all__ = ["shared_system", "system"]
