"""Good enough? The objectives of a drill, fixed beforehand in objectives.toml, and the verdict of each.

Three verdicts, the worst wins: MISSED > UNPROVEN > MET. What cannot be proved is never a pass.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.measurement import Measurement
from drill.plain_file import read_bytes
from drill.unusable import UnusableInput

LARGEST = 1e15
"""No limit is that large; whole numbers of TOML may be larger than any float."""
LAYERS = ("default", "target", "scenario")
MISSPELT = 0.85
"""A name at least this like a known one (difflib's ratio) is that one misspelt: a letter or two in ten."""


class Verdict(enum.StrEnum):
    """MET, MISSED, or UNPROVEN where the records cannot tell."""

    MET = "MET"
    UNPROVEN = "UNPROVEN"
    MISSED = "MISSED"

    @classmethod
    def worst(cls, verdicts: Iterable[Verdict]) -> Verdict:
        """MISSED if any is, else UNPROVEN if any is or there is none at all, else MET."""
        found = set(verdicts)
        if cls.MISSED in found:
            return cls.MISSED
        return cls.UNPROVEN if cls.UNPROVEN in found or not found else cls.MET


@dataclass(frozen=True, slots=True)
class Objective:
    """A measurement of that name must not exceed `limit`."""

    name: str
    limit: float

    def judge(self, measurement: Measurement) -> Verdict:
        """MET if the whole bracket holds, MISSED if none of it does, else UNPROVEN.

        What never happened while it was looked for (infinite) may have happened soon after its lower bound.
        """
        value = measurement.value
        if value is None or math.isnan(value):
            return Verdict.UNPROVEN
        lower = value if measurement.lower is None else measurement.lower
        upper = value if measurement.upper is None else measurement.upper
        if math.isnan(lower) or math.isnan(upper):
            return Verdict.UNPROVEN
        if max(value, upper) <= self.limit:
            return Verdict.MET
        return Verdict.MISSED if min(value, lower) > self.limit else Verdict.UNPROVEN


@dataclass(frozen=True, slots=True)
class Floor:
    """A measurement of that name must not fall below `limit`."""

    name: str
    limit: float

    def judge(self, measurement: Measurement) -> Verdict:
        """MET if the whole bracket holds, MISSED if none of it does, else UNPROVEN."""
        low, value, high = (
            None if x is None else -x for x in (measurement.upper, measurement.value, measurement.lower)
        )
        turned = dataclasses.replace(measurement, value=value, lower=low, upper=high)
        return Objective(self.name, -self.limit).judge(turned)


@dataclass(frozen=True, slots=True)
class Objectives:
    """What one drill is held to.

    rto_s: service must be back that many seconds after the fault, as a whole, for each cohort and each kind of op.
    rpo_s: the oldest lost write may have been acknowledged at most so long before the fault.
    lost_writes: how many acknowledged writes may be lost (not set: counted, not judged).
    lost_after_fault: how many writes acknowledged *after* the fault may be lost (split brain).
    lag_p99_s, s3_lag_p99_s: steady replication lag of the database ("none" in a file: not judged, as where both sites use one
    store) and (not set: not judged) of the object store.
    availability: the share of good ops that makes service up; deadline_s: a good op is answered within it of its
    intended start; window_s: the sliding window the share is taken over; settle_s: how long recovery must have held.
    reliability: the share of failovers that must be shown, at `confidence`, to meet rto_s (not set: told, not judged);
    judged of all repetitions of a scenario together (drill.repetition).
    """

    rto_s: float = 300.0
    rpo_s: float = 5.0
    lost_writes: float | None = None
    lost_after_fault: float = 0.0
    lag_p99_s: float | None = 5.0
    s3_lag_p99_s: float | None = None
    availability: float = 0.99
    deadline_s: float = 3.0
    settle_s: float = 60.0
    window_s: float = 10.0
    reliability: float | None = None
    confidence: float = 0.95

    @property
    def allowance(self) -> float:
        """The share of ops that may fail while service counts as up."""
        return max(0.0, 1.0 - self.availability)

    @property
    def deadline_ns(self) -> int:
        """`deadline_s` in nanoseconds."""
        return round(self.deadline_s * 1e9)


KEYS = tuple(f.name for f in dataclasses.fields(Objectives))
UNLIMITED = "none"
MAY_BE_UNLIMITED = ("lost_writes", "lag_p99_s", "s3_lag_p99_s", "reliability")
"""What need not be judged: a file may say so in a word, its JSON by null."""


def objective_tables(path: Path) -> dict[str, Any]:
    """The file's tables as they stand, all of them checked.

    Raises UnusableInput for a file that is missing, malformed, or says something that no drill can be held to.
    """
    content = read_bytes(path)
    if content is None:
        raise UnusableInput(f"there is no objectives file {path}: give one with --objectives, such as objectives.toml")
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as e:
        raise UnusableInput(f"the objectives file {path} cannot be read ({e}): give a readable text file") from e
    except (ValueError, RecursionError) as e:  # a number of thousands of digits is a ValueError of its own
        raise UnusableInput(f"{path} is not TOML ({e}): mend that line") from e
    resolve_objectives(tables, "", "", source=str(path))
    return tables


def resolve_objectives(tables: Mapping[str, Any], target: str, scenario: str, *, source: str) -> Objectives:
    """The objectives of `scenario` on `target`: [default], [target.<t>], [scenario.<name>], later ones override.

    `source` is what an error names.
    """
    return Objectives(**resolve_values(tables, target, scenario, source=source))  # type: ignore[arg-type]


def resolve_values(tables: Mapping[str, Any], target: str, scenario: str, *, source: str) -> dict[str, float | None]:
    """What the tables set for that scenario, without the defaults of what none of them sets.

    [scenario.NAME] counts for every NAME[parameters] as well; a table of NAME[parameters] itself overrides it.
    """
    if not isinstance(tables, Mapping):
        raise UnusableInput(f"{source}: objectives must be tables such as [default]")
    for name, found in tables.items():
        if name not in LAYERS:
            raise UnusableInput(f"{source}: unknown table [{name}]; {nearest(name, LAYERS)}")
        if not isinstance(found, Mapping):
            raise UnusableInput(
                f"{source}: {name} must be a table, written [{name}{'' if name == 'default' else '.NAME'}]"
            )
    values = checked_values(tables.get("default", {}), "default", source)
    found_in = {
        layer: {name: checked_values(table, f"{layer}.{name}", source) for name, table in tables.get(layer, {}).items()}
        for layer in LAYERS[1:]
    }
    for layer, name in (("target", target), ("scenario", unparametrised(scenario)), ("scenario", scenario)):
        values |= found_in[layer].get(name, {})
    return values


def unparametrised(scenario: str) -> str:
    """NAME of NAME[parameters]."""
    return scenario.partition("[")[0]


def refuse_unknown_names(
    tables: Mapping[str, Any], layer: str, known: Collection[str], *, source: str, all_known: bool = True
) -> None:
    """Raise UnusableInput for a table of `layer` ("target", "scenario") that is of none of the `known` names.

    A scenario's name may carry parameters. Where there may be more names than those known (not `all_known`), only what
    is nearly one of them is refused.
    """
    for name in tables.get(layer, {}):
        if name in known or unparametrised(name) in known:
            continue
        if all_known or difflib.get_close_matches(name, known, n=1, cutoff=MISSPELT):
            raise UnusableInput(f"{source}: there is no {layer} {name}; {nearest(name, sorted(known))}")


def checked_values(table: Any, name: str, source: str) -> dict[str, float | None]:
    """The values of one table, each of which a drill can be held to; raises UnusableInput naming `source`, table, key."""
    if not isinstance(table, Mapping):
        raise UnusableInput(f"{source}: [{name}] must be a table; a key of it goes under that heading")
    for key, value in table.items():
        where = f"{source} [{name}]: {key}"
        if key not in KEYS:
            raise UnusableInput(f"{source} [{name}]: unknown key {key}; {nearest(key, KEYS)}")
        if key in MAY_BE_UNLIMITED and value in (UNLIMITED, None):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UnusableInput(f"{where} is {value!r}, which is no number: give a number such as {_sample(key)}")
        if not -LARGEST < value < LARGEST or value < 0:
            raise UnusableInput(
                f"{where} is {value}: give a finite number that is not negative, such as {_sample(key)}"
            )
        if key == "availability" and not 0 < value <= 1:
            raise UnusableInput(f"{where} is {value}: give the share of good ops, above 0 and at most 1, such as 0.99")
        if key == "reliability" and not 0 < value < 1:
            raise UnusableInput(f"{where} is {value}: give a share above 0 and below 1, such as {_sample(key)}")
        if key == "confidence" and not 0.5 <= value < 1:
            raise UnusableInput(f"{where} is {value}: give a share of at least 0.5 and below 1, such as {_sample(key)}")
        if key in ("deadline_s", "window_s") and value == 0:
            raise UnusableInput(f"{where} is 0: give seconds above 0, such as {_sample(key)}")
    return {key: None if value in (UNLIMITED, None) else float(value) for key, value in table.items()}


def _sample(key: str) -> float:
    default = 0.95 if key == "reliability" else getattr(Objectives(), key)
    return 0.0 if default is None else float(default)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was meant, or all of them, as the end of a sentence."""
    known = tuple(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
