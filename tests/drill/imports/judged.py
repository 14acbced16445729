"""How the tests here import a file and judge it."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from drill.evidence import Judgement, judge
from drill.imports.bundle import Bundle
from drill.imports.command import add_arguments, bundle_of
from drill.objective import Objectives

DATA = Path(__file__).parent / "data"
OBJECTIVES = Objectives(rto_s=10.0, deadline_s=1.0, window_s=1.0, settle_s=2.0)


@dataclass(frozen=True, slots=True)
class Truth:
    """What the server says of its outage, ms since the epoch: it went down and came back somewhere in these."""

    down_ms: tuple[float, float]
    up_ms: tuple[float, float]

    @classmethod
    def of(cls, name: str, folder: Path = DATA) -> Truth:
        """That of a file of the data."""
        said = json.loads((folder / f"{name}.truth.json").read_text())
        return cls(tuple(said["down_ms"]), tuple(said["up_ms"]))

    @property
    def rto_s(self) -> tuple[float, float]:
        """The least and the most that the recovery time can have been."""
        return (self.up_ms[0] - self.down_ms[1]) / 1e3, (self.up_ms[1] - self.down_ms[0]) / 1e3

    @property
    def marks(self) -> tuple[str, ...]:
        """The fault, as the command line is told it; the machine's clock was the load's."""
        at, by = (f"{ms / 1e3:.6f}" for ms in self.down_ms)
        return "--fault-at", at, "--fault-by", by, "--clock-error", "0"


def imported(*words: str | Path) -> Bundle:
    """What the command line `python -m drill import FILE...` makes of these words."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", type=Path, nargs="+")
    add_arguments(parser)
    said = parser.parse_args([str(word) for word in words])
    return bundle_of(said.files, said)


def judged(*words: str | Path, objectives: Objectives = OBJECTIVES) -> Judgement:
    """That history judged."""
    return judge(imported(*words).history, objectives)
