"""Runs whose harness died: undo their faults, end their processes, remove what they made. The watchdog, `heal` and the
next run do it by the same few lines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.safety.heal import HealingFailed, undo_all
from infra_fixtures.safety.journal import JOURNAL, Begun, Header, Journal, has_ended, header, is_held
from infra_fixtures.targets import orphan_of
from infra_fixtures.targets.orphan import Orphan


class NotHealed(Exception):
    """Something of a dead run is left; the message says what."""


def orphans(runs_dir: Path) -> Iterator[Path]:
    """Journals under `runs_dir` of runs that did not end and that nobody holds."""
    for path in _journals(runs_dir):
        # Held first: a run that ends between the two looks has ended by the second.
        if not is_held(path) and not has_ended(path):
            yield path


def refuse_orphans(runs_dir: Path) -> None:
    """Raise UnusableInput where a run died there and is not healed."""
    for journal in orphans(runs_dir):
        raise UnusableInput(
            f"the run {journal.parent.name} died and may have left a fault or processes: run `python -m infra_fixtures "
            f"heal --runs-dir {runs_dir}` first"
        )


def _journals(runs_dir: Path) -> list[Path]:
    """Every journal there, also one that leads nowhere; what cannot be looked into is no reason to say that none is there."""
    try:
        found = [Path(run.path, JOURNAL) for run in os.scandir(runs_dir) if run.is_dir(follow_symlinks=False)]
        return sorted(path for path in found if os.path.lexists(path) or not os.access(path.parent, os.R_OK | os.X_OK))
    except FileNotFoundError:
        return []
    except OSError as e:
        raise UnusableInput(
            f"{runs_dir} cannot be looked into ({e.strerror}): give a --runs-dir that you may read"
        ) from e


def heal_orphan(path: Path, by: str) -> str:
    """Undo and end one run, and say what was done; raises NotHealed, and then its journal stays open."""
    journal = Journal(path.parent)  # waits for whoever heals it at this moment
    try:
        told = header(path)
        if has_ended(path):
            return f"{path.parent.name}: nothing is left"
        if told is None:
            raise NotHealed(f"{path} has faults and no header that says where: undo them by hand, then remove it")
        with _naming_the_run(told):
            orphan = orphan_of(msgspec.structs.replace(told, records=str(path.parent)))
            killed = orphan.end_processes()
            with orphan.taken_over():
                healed = _undo_and_remove(orphan, journal, by)
    finally:
        journal.close()
    faults = f", healed {', '.join(e.fault for e in healed)}" if healed else ""
    return f"{told.run_id}: ended {killed} processes{faults}"


def end(journal: Journal, told: Header, by: str) -> None:
    """End a run of this process, whose system is not needed any more and whose target it holds; raises NotHealed."""
    with _naming_the_run(told):
        orphan = orphan_of(told)
        orphan.end_processes()
        _undo_and_remove(orphan, journal, by)


def _undo_and_remove(orphan: Orphan, journal: Journal, by: str) -> list[Begun]:
    """Which faults were healed. What cannot outlive its harness has been ended, and its faults are gone with it."""
    healed = undo_all(orphan, journal, by)
    orphan.remove()
    journal.ended(by)
    return healed


@contextlib.contextmanager
def _naming_the_run(told: Header) -> Iterator[None]:
    """Whatever fails, the sentence names the run."""
    try:
        yield
    except (HealingFailed, UnusableInput) as e:
        raise NotHealed(f"{told.run_id}: {e}") from e
    except Exception as e:
        raise NotHealed(f"{told.run_id}: {type(e).__name__}: {e}") from e
