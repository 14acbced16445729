"""What belongs to one run is never tidied away by another, and what nobody uses any more is."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest

from infra_fixtures.processes.process_tree import CGROUP_PREFIX, CgroupTree, _cgroup_mount, create_tree
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
