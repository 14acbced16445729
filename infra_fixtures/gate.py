"""What a system must pass before it counts as standing: each gate has a name and a region, for whoever is told of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from drill.unusable import UnusableInput

EVERYWHERE = "both regions"


class GateNotPassed(Exception):
    """The system, or one region of it, did not come to stand; the message names the region and what it did not pass."""

    def __init__(self, region: str, gate: str) -> None:
        super().__init__(f"{region}: {gate}")
        self.region = region
        self.gate = gate


@contextlib.contextmanager
def gate(region: str, name: str) -> Iterator[None]:
    """What fails in here has not passed this gate."""
    try:
        yield
    except (GateNotPassed, UnusableInput):
        raise
    except Exception as e:
        raise GateNotPassed(region, f"{name}: {type(e).__name__}: {e}") from e
