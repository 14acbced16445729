"""One process stands systems up one after the other and holds no more after the last than after the one before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded
from probes.steady_state import await_steady_state
from tests.holdings import Holdings
from tests.infra_fixtures.targets.shared_memory import segments, segments_of, shared_files_of


@pytest.mark.slow
def test_a_system_gives_everything_back(tmp_path: Path) -> None:
    """Descriptors, threads, children, shared memory, cgroups, directories: the third leaves as many as the second.

    Descriptors are as many before garbage is collected: each was closed by its owner.
    """
    name = f"given-back-{os.getpid()}"
    after = [_stood(f"{name}-{number}", tmp_path) for number in range(3)]
    second, third = (held.counts() for held in after[1:])
    for counts in (second, third):
        del counts["segments"], counts["shared memory"]  # other runs of this machine are killed meanwhile: see _stood
    assert third == second
    assert third["descriptors before collecting"] == third["descriptors"]
    assert (third["cgroups"], third["directories"]) == (0, 0)


def _stood(run_id: str, runs_dir: Path) -> Holdings:
    """What is held once a system is gone; its shared memory must be."""
    with standing("embedded", pace=10.0, runs_dir=runs_dir, run_id=run_id) as world:
        assert isinstance(world, Embedded)
        await_steady_state(world)
        pids = {pid for part in world.processes().values() for pid in part}
        made, files = segments_of(pids), shared_files_of(pids)
        assert len(made) == 2, "one of each PostgreSQL"
    assert not made & segments()
    assert not [file for file in files if file.exists()]
    return Holdings.of(run_id)
