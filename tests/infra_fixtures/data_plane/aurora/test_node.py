"""PostgreSQL's programs are found or their absence explained; a killed node leaves nothing in shared memory."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from drill.wait import await_until
from infra_fixtures.data_plane.aurora.binaries import BIN_VARIABLE, locate
from infra_fixtures.data_plane.aurora.node import PROCESS, Node
from infra_fixtures.processes.shared_memory import release_shared_memory
from infra_fixtures.processes.supervisor import Supervisor
from infra_fixtures.run_layout import RunLayout


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without PostgreSQL is refused in one sentence that says which setting to mend."""
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))
    with pytest.raises(UnusableInput, match=f"initdb.*set {BIN_VARIABLE}"):
        locate(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_programs_out_of_the_users_reach_are_refused_or_copied(
    tmp_path: Path, layout: RunLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named installation that the unprivileged user cannot read is refused; one that it can read is taken."""
    there, uid = locate(Path(layout.work_dir))
    assert uid is not None
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    (private / "pg").mkdir()
    for part in ("bin", "lib", "share"):
        (private / "pg" / part).symlink_to(there.parent / part)
    monkeypatch.setenv(BIN_VARIABLE, str(private / "pg" / "bin"))
    with pytest.raises(UnusableInput, match=f"cannot be run by the unprivileged user .* set {BIN_VARIABLE}"):
        locate(Path(layout.work_dir))
    public = Path(layout.work_dir) / "pg"
    shutil.copytree(private / "pg", public, symlinks=True)
    monkeypatch.setenv(BIN_VARIABLE, str(public / "bin"))
    assert locate(Path(layout.work_dir), layout.worker_uid)[0] == public / "bin"


def _segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def test_killed_node_leaves_no_shared_memory(layout: RunLayout) -> None:
    """SIGKILL leaves PostgreSQL's segment behind; releasing removes that one, once, and the node starts again."""

    async def scene() -> None:
        pg_bin, pg_uid = locate(Path(layout.work_dir))
        supervisor = Supervisor(layout)
        node = Node(layout, layout.primary, supervisor, pg_bin, pg_uid)
        try:
            await node.initialise()
            await node.start(standby=False)
            own = {(node.data / "postmaster.pid").read_text().splitlines()[6].split()[1]}
            assert own <= _segments()
            assert release_shared_memory(node.data) is False
            await supervisor.kill(layout.primary.name, PROCESS)
            assert own <= _segments()
            assert release_shared_memory(node.data) is True
            assert not own & _segments()
            assert release_shared_memory(node.data) is False
            await node.start(standby=False)

            async def synced() -> bool:
                return await node.query("SELECT current_setting('fsync')") == [("on",)]

            await await_until(synced, what="commits to be synced", timeout_s=2)
        finally:
            await node.remove()
            await supervisor.close()
        assert not node.data.exists()

    asyncio.run(scene())
