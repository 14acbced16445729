"""What a game day can be told (DESIGN: Contract), the same on pytest's command line and on our own."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from gameday.load_distribution import LoadDistribution, load_distribution_of
from gameday.numbers import whole_number
from gameday.scenario import MOST_BYTES
from infra_fixtures.pace import parse_pace
from infra_fixtures.safety.stop_conditions import from_tables
from infra_fixtures.targets import TARGETS, pace_of, read_options
from infra_fixtures.targets import add_options as add_target_options
from traffic.load_options import LoadOptions, add_load_options


@dataclass(frozen=True, slots=True)
class Options:
    """How a game day runs; `of_target` are the target's own options by name."""

    target: str
    pace: float
    objectives: Path
    runs_dir: Path
    repeat: int = 1
    distribution: LoadDistribution = field(default_factory=LoadDistribution)
    load: LoadOptions = field(default_factory=LoadOptions)
    of_target: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[dict[str, Any], ...] = ()
    """`[[stop]]` tables: what ends any drill of the day at once."""

    @classmethod
    def read(cls, get: Callable[[str], Any]) -> Options:
        """Take them from what was parsed (`get` gives one by its name); raises UnusableInput."""
        target = str(get("target"))
        if target not in TARGETS:
            raise UnusableInput(f"--target {target} is unknown: give one of {', '.join(TARGETS)}")
        return cls(
            target=target,
            pace=pace_of(target, parse_pace(get("pace"))),
            objectives=Path(get("objectives")),
            runs_dir=Path(get("runs_dir")),
            repeat=whole_number("--repeat", get("repeat"), least=1),
            distribution=load_distribution_of(get),
            load=LoadOptions.read(get),
            of_target=read_options(target, get),
            stop=_stop_tables(get("stop")),
        )

    def recorded(self) -> dict[str, Any]:
        """As run.json keeps them."""
        return {
            "target": self.target,
            "pace": self.pace,
            "objectives": str(self.objectives),
            "repeat": self.repeat,
            "stop": list(self.stop),
            **self.load.given(),
            "workers": self.distribution.workers,
            "workers_elsewhere": self.distribution.elsewhere,
            **self.of_target,
        }


def add_options(add: Callable[..., Any]) -> None:
    """Add all of them with argparse's `add_argument` or pytest's `addoption`."""
    add("--target", default="embedded", help=f"where the system stands: {', '.join(TARGETS)} (default embedded)")
    add(
        "--pace",
        default="10",
        help="how many times faster than AWS's the embedded timers run; 1 is AWS's own (default 10)",
    )
    add("--stop", help="TOML file of [[stop]] tables: conditions that end every drill at once (docs/safety.md)")
    add("--objectives", default="objectives.toml", help="TOML file of recovery objectives (default objectives.toml)")
    add("--runs-dir", default="reports/runs", help="where records of runs are kept (default reports/runs)")
    add_target_options(add)
    add_load_options(add)
    add("--repeat", default="1", help="run each scenario so many times, on fresh topologies (default 1)")
    add("--workers", default="0", help="share the load among so many Locust workers here (default 0: none)")
    add("--workers-elsewhere", default="0", help="... and so many, to be started on other machines as printed")
    add(
        "--workers-at",
        default="127.0.0.1:0",
        help="HOST:PORT by which other machines reach this one, and the port after it (default 127.0.0.1:0, any free)",
    )


def _stop_tables(path: str | None) -> tuple[dict[str, Any], ...]:
    if path is None:
        return ()
    content = read_bytes(Path(path), MOST_BYTES)
    if content is None:
        raise UnusableInput(f"--stop {path} is not there: give a TOML file of [[stop]] tables")
    try:
        tables = tomllib.loads(content.decode()).get("stop", [])
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as e:
        raise UnusableInput(f"--stop {path} cannot be read ({e}): give a TOML file of [[stop]] tables") from e
    if not isinstance(tables, list) or not tables:
        raise UnusableInput(f"--stop {path} has no [[stop]] table: give one for each condition")
    from_tables(tables)
    return tuple(tables)
