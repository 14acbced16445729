"""Load as command-line options: how much is asked, of what kind, how it grows, by whom, and how much at most.

What is not given stays as the scenario has it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drill.unusable import UnusableInput
from traffic.load import COHORTS, Load, RampPoint

_HELP: Mapping[str, str] = {
    "--rate": "writes a second (default: the scenario's, 200)",
    "--read-share": "the share of reads among all requests, from 0 to below 1 (default: the scenario's, 0.09)",
    "--ramp": "how the rate of writes moves instead, as RATE@SECOND,...: 50@0,200@10 grows from 50 to 200 in 10 s",
    "--cohorts": f"the share of each kind of client, as in follower=0.7,fresh=0.1,sticky=0.2; of {', '.join(COHORTS)}",
    "--max-rate": "requests a second, reads included, that are never exceeded, whatever rate or ramp says",
    "--max-in-flight": "requests under way at most; more are not sent, and leave the drill unproven (default 5000)",
}


def add_load_options(add: Callable[..., Any]) -> None:
    """Add them with argparse's `add_argument` or pytest's `addoption`."""
    for flag, help_ in _HELP.items():
        add(flag, default=None, help=help_)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What was given; None: nothing was."""

    rate: float | None = None
    read_share: float | None = None
    ramp: tuple[RampPoint, ...] | None = None
    cohorts: Mapping[str, float] | None = None
    max_rate: float | None = None
    max_in_flight: int | None = None

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> LoadOptions:
        """What was parsed, by name (`get("read_share")`); raises UnusableInput with what is wrong and how to mend it."""
        found = cls(
            rate=_number(get, "--rate", least=0.0, below=None, open_below=True),
            read_share=_number(get, "--read-share", least=0.0, below=1.0),
            ramp=_ramp(get("ramp")),
            cohorts=_cohorts(get("cohorts")),
            max_rate=_number(get, "--max-rate", least=0.0, below=None, open_below=True),
            max_in_flight=_count(get, "--max-in-flight"),
        )
        if found.rate is not None and found.ramp is not None:
            raise UnusableInput("--rate and --ramp both say how many writes there are: give one of them")
        found.applied(Load())  # what a load refuses is refused now, not in the middle of a run
        return found

    def applied(self, load: Load) -> Load:
        """The load with what was given in place of what it had; raises UnusableInput."""
        share = (
            load.reads_per_s / (load.reads_per_s + load.orders_per_s) if self.read_share is None else self.read_share
        )
        ramp, rate = load.ramp, load.orders_per_s
        if self.rate is not None:
            ramp, rate = (), self.rate
        if self.ramp is not None:
            ramp, rate = self.ramp, self.ramp[-1].per_s
        if self.max_rate is not None:
            most = self.max_rate * (1 - share)
            ramp, rate = _capped(ramp, most), min(rate, most)
        same = rate == load.orders_per_s and self.read_share is None
        return dataclasses.replace(
            load,
            orders_per_s=rate,
            reads_per_s=load.reads_per_s if same else rate * share / (1 - share),
            ramp=ramp,
            cohorts=load.cohorts if self.cohorts is None else self.cohorts,
            most_in_flight=load.most_in_flight if self.max_in_flight is None else self.max_in_flight,
        )

    def given(self) -> dict[str, Any]:
        """Those that were given, for the record of the run."""
        return {f"load_{name}": value for name, value in dataclasses.asdict(self).items() if value is not None}


def _capped(ramp: tuple[RampPoint, ...], most: float) -> tuple[RampPoint, ...]:
    """The ramp where it is below `most`, and `most` where it is not: a point more wherever it crosses that."""
    found: list[RampPoint] = []
    for a, b in itertools.pairwise((None, *ramp)):
        assert b is not None
        if a is not None and (a.per_s - most) * (b.per_s - most) < 0:
            part = (most - a.per_s) / (b.per_s - a.per_s)
            found.append(RampPoint(most, a.at_s + part * (b.at_s - a.at_s)))
        found.append(RampPoint(min(b.per_s, most), b.at_s))
    return tuple(found)


def _number(
    get: Callable[[str], Any], flag: str, *, least: float, below: float | None, open_below: bool = False
) -> float | None:
    text = get(_name(flag))
    if text is None:
        return None
    value = _float(str(text))
    if value is None or value < least or (open_below and value == least) or (below is not None and value >= below):
        bounds = f"above {least:g}" if open_below else f"of {least:g} or more"
        raise UnusableInput(f"{flag} {text}: give a number {bounds}" + (f" and below {below:g}" if below else ""))
    return value


def _count(get: Callable[[str], Any], flag: str) -> int | None:
    text = get(_name(flag))
    if text is None:
        return None
    if not str(text).isdecimal() or int(text) < 1:
        raise UnusableInput(f"{flag} {text}: give a whole number of 1 or more")
    return int(text)


def _ramp(text: str | None) -> tuple[RampPoint, ...] | None:
    if text is None:
        return None
    points = []
    for part in text.split(","):
        rate, at, second = (p.strip() for p in part.partition("@"))
        per_s, at_s = _float(rate), _float(second)
        if not at or per_s is None or at_s is None:
            raise UnusableInput(f"--ramp {text}: {part.strip() or 'nothing'} is not RATE@SECOND, such as 50@0,200@10")
        points.append(RampPoint(per_s, at_s))
    return tuple(points)


def _cohorts(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (p.strip() for p in part.partition("="))
        value = _float(share)
        if value is None or name in found:
            why = "is there twice" if name in found else "is not NAME=SHARE"
            raise UnusableInput(
                f"--cohorts {text}: {part.strip() or 'nothing'} {why}; give such as follower=0.9,fresh=0.1"
            )
        found[name] = value
    return found


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
