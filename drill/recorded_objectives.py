"""objectives.json: what one drill is held to, beside its records, so that it is judged by the same wherever it is moved.

It names the file the objectives were read from, its SHA-256, every value, and which of them no table of the file set.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.objective import KEYS, MAY_BE_UNLIMITED, Objectives, checked_values, objective_tables, resolve_values
from drill.plain_file import read_bytes, read_json
from drill.unusable import UnusableInput

RECORDED = "objectives.json"


@dataclass(frozen=True, slots=True)
class RecordedObjectives:
    """The objectives of one scenario on one target; `defaults`: the keys that the file did not set.

    `sha256` is that of the file, empty where only its tables are known (run.json of an older run).
    """

    scenario: str
    target: str
    file: str
    sha256: str
    objectives: Objectives
    defaults: tuple[str, ...]

    @classmethod
    def of_file(cls, path: Path, target: str, scenario: str) -> RecordedObjectives:
        """Those of an objectives file; raises UnusableInput."""
        tables = objective_tables(path)
        digest = hashlib.sha256(read_bytes(path) or b"").hexdigest()
        return cls.of_tables(tables, target, scenario, file=str(path), sha256=digest)

    @classmethod
    def of_tables(
        cls, tables: Mapping[str, Any], target: str, scenario: str, *, file: str, sha256: str = "", source: str = ""
    ) -> RecordedObjectives:
        """Those of tables already read from `file`; raises UnusableInput, naming `source` (default: the file)."""
        values = resolve_values(tables, target, scenario, source=source or file)
        defaults = tuple(key for key in KEYS if key not in values)
        return cls(scenario, target, file, sha256, Objectives(**values), defaults)  # type: ignore[arg-type]

    @classmethod
    def load(cls, directory: Path) -> RecordedObjectives | None:
        """Those beside the records in a scenario's directory, None where there are none; raises UnusableInput."""
        path = directory / RECORDED
        found = read_json(path)
        if found is None:
            return None
        try:
            said = msgspec.convert(found, _File)
        except msgspec.ValidationError as e:
            raise UnusableInput(f"{path} is not what this drill writes ({e}): restore the file") from e
        values = checked_values(
            {k: v for k, v in said.values.items() if v is not None or k in MAY_BE_UNLIMITED}, "values", str(path)
        )
        defaults = tuple(key for key in KEYS if key in said.defaults or key not in values)
        return cls(said.scenario, said.target, said.file, said.sha256, Objectives(**values), defaults)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, Any]:
        """As the file has it, and as every verdict.json has it under `objectives`."""
        return {
            "scenario": self.scenario,
            "target": self.target,
            "file": self.file,
            "sha256": self.sha256,
            "values": dataclasses.asdict(self.objectives),
            "defaults": list(self.defaults),
        }

    def sentence(self) -> str:
        """Where they are from, and which limits nobody set: those with a value are the harness's, the others not judged."""
        values = {key: getattr(self.objectives, key) for key in self.defaults}
        by_default = ", ".join(f"{key} {value:g}" for key, value in values.items() if value is not None) or "none"
        unjudged = ", ".join(key for key, value in values.items() if value is None)
        digest = f" (SHA-256 {self.sha256[:12]})" if self.sha256 else ""
        not_judged = f"; not set and not judged: {unjudged}" if unjudged else ""
        off = [key for key in KEYS if key not in self.defaults and getattr(self.objectives, key) is None]
        not_judged += f"; said not to be judged: {', '.join(off)}" if off else ""
        return f"Judged by {self.file}{digest}; limits by default: {by_default}{not_judged}."

    def write(self, directory: Path) -> None:
        """Write objectives.json into the scenario's directory."""
        whole = msgspec.json.format(msgspec.json.encode(self.to_json()), indent=2)
        (directory / RECORDED).write_bytes(whole + b"\n")


class _File(msgspec.Struct, frozen=True):
    scenario: str
    target: str
    file: str
    sha256: str
    values: dict[str, float | None]
    defaults: tuple[str, ...]
