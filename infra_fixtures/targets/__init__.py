"""Where a topology can live: each target gives clients, endpoints, capabilities and fidelity."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from infra_fixtures.targets.world import World

TARGETS = ("embedded",)
RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ"


@contextlib.contextmanager
def standing(target: str, *, pace: float, runs_dir: Path, run_id: str | None = None) -> Iterator[World]:
    """A world of that target, stood up on entry and torn down on exit; its journal lies in `runs_dir`/`run_id`."""
    import datetime as dt
    import secrets

    from infra_fixtures.targets.embedded import embedded
    from infra_fixtures.topology import embedded_topology

    run_id = run_id or f"{dt.datetime.now(dt.UTC):{RUN_ID_FORMAT}}-{secrets.token_hex(3)}"
    with embedded(run_id=run_id, pace=pace, topology=embedded_topology(pace), journal_dir=runs_dir / run_id) as world:
        yield world
