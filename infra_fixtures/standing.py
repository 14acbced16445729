"""A world stood up for a run, with what keeps it safe: a journal that any process can heal it from, and a watchdog."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.orphan_runs import end
from infra_fixtures.safety.journal import Header, Journal, has_ended
from infra_fixtures.targets import healing_environment, module_of
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import World
from infra_fixtures.watchdog import Watchdog

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ"
TEARDOWN = "teardown"
"""Who heals, in the journal, what the faults themselves could not."""


def new_run_id() -> str:
    """A run id that nobody else has."""
    return f"{dt.datetime.now(dt.UTC):{RUN_ID_FORMAT}}-{secrets.token_hex(3)}"


@contextlib.contextmanager
def standing(
    target: str,
    *,
    pace: float,
    runs_dir: Path,
    run_id: str | None = None,
    options: Mapping[str, Any] | None = None,
    healing_variables: Collection[str] = (),
) -> Iterator[World]:
    """A world of that target, stood up on entry and torn down on exit; its journal lies in `runs_dir`/`run_id`.

    `healing_variables` are the names of environment variables that the undo of its faults needs, beside the target's own.
    """
    run_id = run_id or new_run_id()
    journal = Journal(runs_dir / run_id)
    try:
        if not has_ended(journal.path):
            raise UnusableInput(
                f"the system that {run_id} stood up before is not healed: run `python -m infra_fixtures heal --runs-dir "
                f"{runs_dir}` once this run has ended"
            )
        header = Header(run_id, target, pace, dict(options or {}), tempfile.gettempdir(), str(journal.path.parent))
        module = module_of(target)
        with module.held(header, lambda: has_ended(journal.path)) as stop_conditions:
            journal.stands_up(header)
            named = {name: os.environ[name] for name in healing_variables if name in os.environ}
            watchdog = Watchdog(journal.path.parent, {**named, **healing_environment(header)})
            try:
                with module.stand(TargetConfig(header, journal, watchdog.process, stop_conditions)) as world:
                    yield world
            finally:
                try:
                    end(journal, header, TEARDOWN)
                except BaseException:
                    watchdog.take_over()
                    raise
                watchdog.dismiss()
    finally:
        journal.close()
