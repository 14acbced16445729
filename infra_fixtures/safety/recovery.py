"""Heal what dead runs left: open journal entries, processes, work directories."""

from __future__ import annotations

import glob
import os
import tempfile
from pathlib import Path

import psutil

from infra_fixtures.safety.journal import JOURNAL, Journal, is_held, unfinished
from infra_fixtures.safety.lease import WORK_PREFIX
from infra_fixtures.safety.sweep import sweep
from infra_fixtures.site import RUN_ID_VARIABLE


def heal_dead_runs(runs_dir: Path) -> list[str]:
    """End every dead embedded run under `runs_dir` and close its journal; returns what was done, a sentence each.

    An embedded system is gone with its processes, and its faults with it: ending them is the healing.
    """
    said: list[str] = []
    journals = {path.parent.name: path for path in unfinished(runs_dir)}
    for run_id in sorted(journals.keys() | _dead_runs(runs_dir)):
        killed = sum(sweep(run_id, work_dir) for work_dir in _work_dirs(run_id)) or sweep(run_id)
        open_faults: list[str] = []
        if run_id in journals:
            journal = Journal(journals[run_id].parent)
            for begun in journal.open_entries():
                journal.healed(begun.entry, by="heal")
                open_faults.append(begun.fault)
            journal.close()
        faults = f", healed {', '.join(open_faults)}" if open_faults else ""
        said.append(f"{run_id}: ended {killed} processes{faults}")
    return said


def _dead_runs(runs_dir: Path) -> set[str]:
    """Run ids, recorded under `runs_dir`, that have processes left but nobody who holds their journal."""
    found = set()
    for process in psutil.process_iter():
        try:
            run_id = process.environ().get(RUN_ID_VARIABLE)
        except psutil.Error:
            continue
        if run_id and (journal := runs_dir / run_id / JOURNAL).exists() and not is_held(journal):
            found.add(run_id)
    return found


def _work_dirs(run_id: str) -> list[Path]:
    """The run's own, not what another user made under such a name."""
    found = Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}{glob.escape(run_id)}-*")
    return [path for path in found if path.stat().st_uid == os.geteuid()]
