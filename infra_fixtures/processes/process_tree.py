"""All processes that one process started, to be killed or frozen at once, however they were daemonised.

PostgreSQL's children and Lambda workers call setsid, so a process group misses them. A cgroup holds them; without one the
tree is walked.
"""

from __future__ import annotations

from typing import Protocol

from infra_fixtures.processes.cgroup_tree import create_cgroup
from infra_fixtures.processes.walked_tree import WalkedTree


class Tree(Protocol):
    """The processes under one name, such as `us-east-1` or `us-east-1/aurora`."""

    @property
    def name(self) -> str:
        """The tree's path."""

    def child(self, name: str) -> Tree:
        """A tree inside this one."""

    def entry_fd(self) -> int | None:
        """A file descriptor to which a newborn process writes b"0" to enter; the caller closes it. None: none needed."""

    def adopt(self, pid: int) -> None:
        """Note a process that was started for this tree."""

    def kill(self) -> None:
        """SIGKILL all, at once."""

    def freeze(self) -> None:
        """Stop all without telling them."""

    def thaw(self) -> None:
        """Let them go on."""

    def alive(self) -> bool:
        """Whether any process of the tree lives."""

    def remove(self) -> None:
        """Take the (empty) tree away."""


def create_tree(run_id: str) -> Tree:
    """The tree of a run: a cgroup where this process may make one, else a walked tree."""
    return create_cgroup(run_id) or WalkedTree(run_id)
