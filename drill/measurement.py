"""A figure with its bounds and its why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """`value` lies in [`lower`, `upper`], in `unit` ("s", "writes", "requests", "share", ...).

    `value` is None where nothing could be measured and infinite where the awaited thing never happened; `upper` is
    infinite where it cannot be told whether it did. `because` says why it is what it is, `basis` what it was taken from.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    unit: str
    because: str
    basis: str = ""

    @classmethod
    def exact(cls, name: str, value: float, unit: str, because: str, basis: str = "") -> Measurement:
        """A figure that is counted rather than sampled."""
        return cls(name, value, value, value, unit, because, basis)

    @classmethod
    def unknown(cls, name: str, unit: str, because: str, basis: str = "") -> Measurement:
        """Not measured, and why."""
        return cls(name, None, None, None, unit, because, basis)
