"""A drill or a whole run as it lies on disk, found again so that it can be judged from its raw records alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.evidence import Judgement, judge
from drill.history import History
from drill.objective import Objectives, load_objectives, resolve_objectives
from drill.unusable import UnusableInput

RECORDS = ("ops.parquet", "marks.jsonl", "samples.parquet", "survivors.parquet")
OBJECTIVES = Path("objectives.toml")


@dataclass(frozen=True, slots=True)
class Stored:
    """The records of one scenario, and what run.json says of its run (empty where there is none)."""

    directory: Path
    run: Mapping[str, Any]

    @property
    def scenario(self) -> str:
        """Its name: that of its directory."""
        return self.directory.resolve().name

    @property
    def context(self) -> dict[str, str | float]:
        """scenario, target and pace, as verdict.json has them; what is not known is left out."""
        found: dict[str, str | float] = {"scenario": self.scenario}
        if isinstance(target := self.run.get("target"), str):
            found["target"] = target
        if isinstance(pace := self.run.get("pace"), int | float):
            found["pace"] = pace
        return found

    def objectives(self, given: Path | None) -> Objectives:
        """Those of the file given, else those the run recorded, else objectives.toml."""
        target = str(self.run.get("target", ""))
        if given is not None:
            return load_objectives(given, target, self.scenario)
        recorded = self.run.get("objectives")
        if isinstance(recorded, dict) and recorded:
            return resolve_objectives(recorded, target, self.scenario, source=str(_run_json(self.directory)))
        return load_objectives(OBJECTIVES, target, self.scenario)

    def judge(self, given: Path | None = None) -> Judgement:
        """Judge it again; raises UnusableInput for a damaged record or unusable objectives."""
        objectives = self.objectives(given)
        return judge(History.load(self.directory), objectives)


def find_stored(directory: Path) -> list[Stored]:
    """The scenario in `directory`, or every scenario of the run in it; raises UnusableInput where there is neither."""
    if not directory.is_dir():
        raise UnusableInput(f"{directory} is not a directory: give that of a scenario or of a run")
    if (directory / "scenarios").is_dir():
        run = _read_run(directory / "run.json")
        found = [Stored(p, run) for p in sorted((directory / "scenarios").iterdir()) if p.is_dir()]
        if not found:
            raise UnusableInput(
                f"{directory / 'scenarios'} is empty: give the directory of a run that drilled something"
            )
        return found
    if any((directory / name).exists() for name in RECORDS):
        return [Stored(directory, _read_run(_run_json(directory)))]
    raise UnusableInput(
        f"{directory} holds no {', '.join(RECORDS)} and no scenarios/: give that of a scenario or a run"
    )


def _run_json(directory: Path) -> Path:
    return directory.resolve().parent.parent / "run.json"


def _read_run(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as e:
        raise UnusableInput(f"{path} is not the run.json this harness writes ({e}): restore it or remove it") from e
