"""What belongs to one run is never tidied away by another, and what nobody uses any more is."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from infra_fixtures.processes.cgroup_tree import CGROUP_PREFIX, CgroupTree, _cgroup_mount
from infra_fixtures.processes.process_tree import create_tree
from infra_fixtures.processes.walked_tree import WalkedTree
from infra_fixtures.run_layout import REPOSITORY

ABANDON = "import sys; from infra_fixtures.processes.process_tree import create_tree; create_tree(sys.argv[1]).child('us-east-1')"


@pytest.fixture
def name() -> str:
    """A run id of this test alone; where runs are held by no cgroup there is nothing to tidy."""
    run_id = f"test-{uuid.uuid4().hex[:8]}"
    tree = create_tree(run_id)
    tree.remove()
    if not isinstance(tree, CgroupTree):
        pytest.skip("this user may make no cgroup")
    return run_id


def _is_there(run_id: str) -> bool:
    mount = _cgroup_mount()
    return mount is not None and (mount / f"{CGROUP_PREFIX}{run_id}").exists()


def test_a_run_without_a_process_yet_keeps_its_tree(name: str) -> None:
    """Another run starts beside it, in this process and in one of its own: the empty tree stays and can be entered."""
    tree = create_tree(name)
    try:
        create_tree(f"{name}-beside").remove()
        subprocess.run([sys.executable, "-c", ABANDON, f"{name}-other"], cwd=REPOSITORY, check=True)
        assert _is_there(name)
        entry_fd = tree.child("us-east-1").entry_fd()
        assert entry_fd is not None
        os.close(entry_fd)
    finally:
        tree.remove()
    assert not _is_there(name)


def test_the_tree_of_a_dead_run_is_pruned_by_the_next(name: str) -> None:
    """A run that ended without removing its tree leaves it to whoever comes next."""
    subprocess.run([sys.executable, "-c", ABANDON, name], cwd=REPOSITORY, check=True)
    assert _is_there(name)
    create_tree(f"{name}-next").remove()
    assert not _is_there(name)


def test_who_has_a_dead_process_s_id_is_none_of_the_tree() -> None:
    """The kernel gives the id of a process that has ended to a stranger: it is neither stopped nor killed."""
    tree = WalkedTree(f"test-{uuid.uuid4().hex[:8]}")
    ended = subprocess.Popen(["sleep", "60"])
    tree.adopt(ended.pid)
    assert tree.alive()
    tree.kill()
    ended.wait()
    assert not tree.alive()
    stranger = _started_as(ended.pid)
    try:
        assert not tree.alive()
        tree.kill()
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.2)
    finally:
        stranger.kill()
        stranger.wait()


def _started_as(pid: int) -> subprocess.Popen[bytes]:
    """A process of that id, which nobody has; skips where this user may not choose ids, or others take it all the time."""
    for _ in range(50):
        try:
            Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        except OSError:
            pytest.skip("this user may not choose process ids")
        process = subprocess.Popen(["sleep", "60"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.skip("others start processes all the time")
