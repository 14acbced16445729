"""An import as a whole run of one scenario, judged: what `python -m reports build` makes reports of and signs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from drill.imported_load import ImportedLoad
from drill.imports.bundle import Bundle
from drill.objective import objective_tables
from drill.recorded_objectives import RecordedObjectives
from drill.stored import find_stored
from drill.unusable import UnusableInput

TARGET = "imported"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write_run(directory: Path, bundle: Bundle, objectives: Path, scenario: str) -> None:
    """Write run.json and the scenario with its records, objectives.json and verdict.json; raises UnusableInput."""
    if not NAME.fullmatch(scenario):
        raise UnusableInput(f"--scenario {scenario}: give a name of letters, digits, '.', '-' and '_'")
    recorded = RecordedObjectives.of_file(objectives, TARGET, scenario)
    if (directory / "run.json").exists():
        raise UnusableInput(f"{directory} holds a run already: give a new directory")
    own = directory / "scenarios" / scenario
    bundle.save(own)
    recorded.write(own)
    record, load = bundle.record, bundle.record["load"]
    facts: dict[str, Any] = {
        "run_id": f"{re.sub(r'[^0-9TZ]', '', record['t0'])}-{scenario}",
        "target": TARGET,
        "pace": 1.0,
        "started": record["t0"],
        "objectives": objective_tables(objectives),
        "fidelity": {"load": f"REAL: results of {record['tool']}, given by whoever drove it"},
        "not_proven": _not_proven(load),
    }
    _write(directory / "run.json", facts)
    (stored,) = find_stored(directory)
    _write(own / "verdict.json", stored.verdict_json(stored.judge()))


def _not_proven(load: ImportedLoad) -> list[str]:
    found = [
        "that the files are whole and unaltered since the load tool wrote them: import.json has their SHA-256",
        "that the fault struck when the marks say: their time was given, not observed",
        "what was lost, how far the copy lagged behind, and which region served: the load tool does not record it",
    ]
    if load.only_rto:
        found.append("anything but the recovery time: nothing else was asked for, and nothing else was judged")
    if not load.intended:
        found.append(f"when requests were due: figures are of {load.basis}")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
