"""Runs whose harness died: undo their faults, end their processes, remove what they made. The watchdog, `heal` and the
next run do it by the same few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from infra_fixtures.safety.heal import HealingFailed, undo_all
from infra_fixtures.safety.journal import JOURNAL, Begun, Header, Journal, has_ended, header, is_held
from infra_fixtures.targets import orphan_of


class NotHealed(Exception):
    """Something of a dead run is left; the message says what."""


def orphans(runs_dir: Path) -> Iterator[Path]:
    """Journals under `runs_dir` of runs that did not end and that nobody holds."""
    for path in sorted(runs_dir.glob(f"*/{JOURNAL}")):
        if not has_ended(path) and not is_held(path):
            yield path


def heal_orphan(path: Path, by: str) -> str:
    """Undo and end one run, and say what was done; raises NotHealed, and then its journal stays open."""
    journal = Journal(path.parent)  # waits for whoever heals it at this moment
    try:
        told = header(path)
        if has_ended(path):
            return f"{path.parent.name}: nothing is left"
        if told is None:
            raise NotHealed(f"{path} has faults and no header that says where: undo them by hand, then remove it")
        killed, healed = end(journal, told, by)
    finally:
        journal.close()
    faults = f", healed {', '.join(e.fault for e in healed)}" if healed else ""
    return f"{told.run_id}: ended {killed} processes{faults}"


def end(journal: Journal, told: Header, by: str) -> tuple[int, list[Begun]]:
    """End a run whose system is not needed any more: how many processes were ended, and which faults healed.

    What cannot outlive its harness goes first: its faults are gone with it. Raises NotHealed.
    """
    orphan = orphan_of(told)
    try:
        killed = orphan.end_processes()
        healed = undo_all(orphan, journal, by)
        orphan.remove()
    except HealingFailed as e:
        raise NotHealed(f"{told.run_id}: {e}") from e
    except Exception as e:
        raise NotHealed(f"{told.run_id}: {type(e).__name__}: {e}") from e
    journal.ended(by)
    return killed, healed
