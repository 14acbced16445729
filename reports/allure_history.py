"""The history that Allure draws its trend from: one line a run, oldest first, kept beside the runs.

Allure appends a line whenever it makes a report. Here a run has one line however often its report is made, dated by the
run's start, and a report is shown only what was before its run: so the same report can be made again later. The file
outlives the runs' directories, which is what CI carries from one job to the next.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from reports.record import Run

HISTORY = "allure-history.jsonl"


@dataclass(frozen=True, slots=True)
class AllureHistory:
    """The lines of one runs directory by run id."""

    path: Path
    lines: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, runs_dir: Path) -> AllureHistory:
        """Read it; a file that is not there is an empty one. Raises UnusableInput naming a damaged line."""
        path = runs_dir / HISTORY
        found: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(_read(path).splitlines(), start=1):
            try:
                point = json.loads(line)
                found[str(point["name"])] = {**point, "timestamp": int(point["timestamp"])}
            except (ValueError, KeyError, TypeError, RecursionError) as e:
                raise UnusableInput(f"{path}: line {number} is not Allure's history: remove that line") from e
        return cls(path, found)

    def before(self, run: Run) -> str:
        """What Allure is shown: the lines of the runs that started before this one."""
        return self._text(p for p in self.lines.values() if p["timestamp"] < _started_ms(run))

    def keep(self, run: Run, line: str) -> None:
        """Put down what Allure wrote of this run, in place of what it wrote of it before."""
        point = {**json.loads(line), "name": run.run_id, "timestamp": _started_ms(run)}
        self.lines[run.run_id] = point
        temporary = self.path.with_name(f".{HISTORY}.{os.getpid()}")
        temporary.write_text(self._text(self.lines.values()), encoding="utf-8")
        temporary.replace(self.path)

    @staticmethod
    def _text(points: Any) -> str:
        return "".join(json.dumps(p) + "\n" for p in sorted(points, key=lambda p: p["timestamp"]))


def _read(path: Path) -> str:
    return (read_bytes(path) or b"").decode("utf-8", "replace")


def _started_ms(run: Run) -> int:
    return int(run.started_at.timestamp() * 1000)
