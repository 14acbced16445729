"""The embedded target: seconds from nothing to a system that serves, and from there to nothing left.

Up is entering `standing(...)`, down is leaving it, as scenarios do. Afterwards no process may carry the run's id and no
file of it may lie in the temporary directory.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.measuring.figure import Failed, Figure
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.lease import WORK_PREFIX
from infra_fixtures.standing import standing

REPETITIONS = 3
PACE = 10.0


def measure() -> Iterator[Figure]:
    """Seconds up and down."""
    up, down, processes = [], [], 0
    with tempfile.TemporaryDirectory(prefix="bench-stand-up-") as runs_dir:
        for n in range(REPETITIONS):
            run_id = f"bench-up-{time.monotonic_ns()}-{n}"
            began = time.monotonic()
            with standing("embedded", pace=PACE, runs_dir=Path(runs_dir), run_id=run_id):
                up.append(time.monotonic() - began)
                processes = len(_processes(run_id))
                if not processes:
                    raise Failed("no process carries the id of a run that stands: what is left of it could not be seen")
                leaving = time.monotonic()
            down.append(time.monotonic() - leaving)
            _nothing_left(run_id)
    yield Figure.of("up from nothing", up, "s", f"{processes} processes")
    yield Figure.of("down", down, "s", "no process and no file of the run is left")


def _nothing_left(run_id: str) -> None:
    processes = _processes(run_id)
    if processes:
        raise Failed(f"after going down these still run: {', '.join(processes)}")
    files = [p.name for p in Path(tempfile.gettempdir()).glob(f"{WORK_PREFIX}{run_id}-*")]
    if files:
        raise Failed(f"after going down these still lie in {tempfile.gettempdir()}: {', '.join(files)}")


def _processes(run_id: str) -> list[str]:
    """The processes that carry the run's id in their environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(RUN_ID_VARIABLE) == run_id:
                found.append(f"{process.name()} ({process.pid})")
    return found
