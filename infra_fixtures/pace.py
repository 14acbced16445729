"""How many times faster than AWS's the timers of a model run."""

from __future__ import annotations

from drill.unusable import UnusableInput

FASTEST = 100


def parse_pace(text: object) -> float:
    """A pace of at least 1; UnusableInput for anything else."""
    try:
        pace = float(str(text))
    except ValueError:
        pace = float("nan")
    if not 1 <= pace <= FASTEST:
        raise UnusableInput(f"--pace {text} is no pace: give a number from 1 (AWS's own timers) to {FASTEST}")
    return pace
